// Whom this machine talks to of one source: conversations that are open, who is called and in which order, and who is not listened to
// for a while. Knows nothing of what is said.
import { type ErrorCode, messageOf } from '@updraft/core/errors'
import type { Meeting, PeerConversation } from '@updraft/core/swarm/news/news'
import { memoryBans } from '@updraft/core/swarm/peers/bans'
import type { Log } from '../log.ts'
import type { Acquaintances } from './acquaintances.ts'

export interface CircleOptions {
  /** Of the source, for the log. */
  readonly name: string
  readonly meeting: () => Promise<Meeting>
  readonly acquaintances: Acquaintances
  /** `host:port` of machines that the owner has named. */
  readonly named: () => readonly string[]
  readonly log: Log
  /** Aborted once the agent stops. */
  readonly stopped: AbortSignal
}

export interface Circle {
  /** Those that are open, of the owner's own choice first, then those that say that they have the newest. */
  ranked(): readonly PeerConversation[]
  /** Keeps one that has called. False if it is not listened to: then it is closed. */
  admit(conversation: PeerConversation): boolean
  /** Under the address with which a URL begins. */
  under(url: string): PeerConversation | undefined
  /** Calls them, all at once; whoever does not answer is passed over. Errors: ABORTED. */
  callAll(addresses: readonly string[], signal?: AbortSignal, topics?: readonly string[]): Promise<void>
  /** Those whom the owner has named, then whoever was met before. */
  whomToCall(): readonly string[]
  /** What it gave, or did not give, was of no use: it is not listened to for a while, and longer for a lie. */
  dismiss(conversation: PeerConversation, code: ErrorCode): void
  /** What these said was not so. */
  ignore(subjects: readonly string[]): void
  /** Something true came from it. */
  praise(conversation: PeerConversation | undefined): void
  /** `host:port` of machines that follow the source. */
  addresses(): readonly string[]
  close(): void
}

/** Machines that are called, or asked, for one question. */
export const CALLS_MAX = 8
const ADDRESSES_MAX = 32
const SHUN_LIAR_MS = 60 * 60_000
const SHUN_ABSENT_MS = 5 * 60_000

/** What nobody gives who has it from the repository. Expired metadata may be all that there is. */
const IS_LIE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'METADATA_UNTRUSTED',
  'METADATA_ROLLBACK',
  'METADATA_POLICY',
  'BUNDLE_INVALID',
  'LIMIT_EXCEEDED',
])

const URL_SCHEME = 'updraft-peer://'

/** Stands for the machine in messages, and for the address of a mirror. Ends with a slash. */
export const urlOf = ({ name }: PeerConversation): string => `${URL_SCHEME}${name.slice('peer '.length)}/`

/** The part of a URL that stands for the machine. */
export const baseOf = (url: string): string => url.slice(0, url.indexOf('/', URL_SCHEME.length) + 1)

/** `host:port` of such a URL. */
export const authorityIn = (url: string): string => baseOf(url).slice(URL_SCHEME.length, -1)

export const openCircle = ({ name, meeting, acquaintances, named, log, stopped }: CircleOptions): Circle => {
  const conversations = new Map<string, PeerConversation>()
  const now = () => performance.now()
  const liars = memoryBans({ termMs: SHUN_LIAR_MS, now })
  const absent = memoryBans({ termMs: SHUN_ABSENT_MS, now })
  const met = new Set<string>()

  const shun = (subjects: readonly string[], list: typeof liars): void => {
    for (const subject of subjects) list.ban(subject, '')
  }
  const isShunned = ({ subjects }: PeerConversation): boolean =>
    subjects.some((subject) => liars.isBanned(subject) || absent.isBanned(subject))

  const live = (): readonly PeerConversation[] => {
    for (const [url, { isOpen }] of conversations) if (!isOpen) conversations.delete(url)
    return [...conversations.values()].filter((conversation) => !isShunned(conversation))
  }

  const admit = (conversation: PeerConversation): boolean => {
    if (isShunned(conversation)) {
      conversation.close()
      return false
    }
    conversations.set(urlOf(conversation), conversation)
    const { endpoint } = conversation
    if (endpoint === undefined) return true
    acquaintances.met(endpoint)
    met.add(endpoint)
    for (const oldest of met) {
      if (met.size <= ADDRESSES_MAX) break
      met.delete(oldest)
    }
    return true
  }

  const call = async (address: string, signal: AbortSignal | undefined, topics: readonly string[]): Promise<void> => {
    if (live().some(({ endpoint }) => endpoint === address)) return
    const ending = signal === undefined ? stopped : AbortSignal.any([signal, stopped])
    try {
      admit(await (await meeting()).call(address, { topics, signal: ending }))
    } catch (error) {
      if (signal?.aborted) throw error
      acquaintances.missed(address)
      log.debug(`${name}: ${messageOf(error)}`)
    }
  }

  return {
    ranked: () => {
      const chosen = named()
      const rank = ({ endpoint }: PeerConversation): number =>
        endpoint !== undefined && chosen.includes(endpoint) ? 0 : 1
      return [...live()].sort((a, b) => rank(a) - rank(b) || b.edition.timestamp - a.edition.timestamp)
    },
    admit,
    under: (url) => conversations.get(baseOf(url)),
    callAll: async (addresses, signal, topics = []) => {
      await Promise.all(addresses.map((address) => call(address, signal, topics)))
    },
    whomToCall: () => [...new Set([...named(), ...acquaintances.all()])].slice(0, CALLS_MAX),
    dismiss: ({ subjects, endpoint, close }, code) => {
      const isLie = IS_LIE.has(code)
      shun(subjects, isLie ? liars : absent)
      if (isLie && endpoint !== undefined) acquaintances.forget(endpoint)
      close()
    },
    ignore: (subjects) => shun(subjects, absent),
    praise: (conversation) => {
      if (conversation?.endpoint !== undefined) acquaintances.met(conversation.endpoint, true)
    },
    addresses: () => [...met],
    close: () => {
      for (const conversation of conversations.values()) conversation.close()
    },
  }
}
