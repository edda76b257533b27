// The machines that follow one source, as refresh and fetch see them: whom to ask, in which order, and whom not to believe for a
// while. Calls machines, and judges nothing that they give.
import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import { type ErrorCode, isUpdateError, messageOf, UpdateError } from '@updraft/core/errors'
import { type Meeting, type PeerConversation, topicOf } from '@updraft/core/swarm/news/news'
import { memoryBans } from '@updraft/core/swarm/peers/bans'
import { replyOf } from '../ask.ts'
import type { Log } from '../log.ts'
import type { MetadataOrigin, PeerSource } from '../peer-source.ts'
import { maxBytesOf, roleOfFile } from '../refresh/file-names.ts'
import type { OfferedRelease } from '../store/first-seen.ts'
import type { Acquaintances } from './acquaintances.ts'
import type { OwnLibrary } from './library.ts'
import type { PointerSearch } from './pointer-search.ts'
import { openRumours, type RumourOptions } from './rumours.ts'

export interface PeersOfSourceOptions extends Pick<RumourOptions, 'random' | 'onNews'> {
  readonly name: string
  readonly library: OwnLibrary
  readonly meeting: () => Promise<Meeting>
  readonly acquaintances: Acquaintances
  /** `host:port` of machines that the owner has named. */
  readonly named: () => readonly string[]
  /** Those that the DHT knows of, for when nobody else answers. */
  readonly pointer: PointerSearch
  readonly onSettled: (from: MetadataOrigin) => void
  readonly log: Log
  readonly now: () => Date
  /** Aborted once the agent stops. */
  readonly stopped: AbortSignal
}

export interface OpenPeersOfSource extends PeerSource {
  /** Somebody has called, or has said something new. */
  told(conversation: PeerConversation): void
  /** A machine of the same repository is near: it is asked what it has, once in a while. */
  greet(address: string): void
  close(): void
}

const URL_SCHEME = 'updraft-peer://'
const METADATA = 'metadata/'

/** Machines that are called for one question, and those of them whose metadata is tried. */
const CALLS_MAX = 8
/** Strangers that give what is wrong, and machines that give nothing. */
const SHUN_LIAR_MS = 60 * 60_000
const SHUN_ABSENT_MS = 5 * 60_000
/** What nobody gives who has it from the repository. Expired metadata may be all that there is. */
const IS_LIE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'METADATA_UNTRUSTED',
  'METADATA_ROLLBACK',
  'METADATA_POLICY',
  'LIMIT_EXCEEDED',
])
const GREET_AGAIN_MS = 10 * 60_000
const GREETED_MAX = 256

export const openPeersOfSource = (options: PeersOfSourceOptions): OpenPeersOfSource => {
  const { name, library, meeting, acquaintances, named, pointer, log, now, stopped } = options
  const conversations = new Map<string, PeerConversation>()
  const clock = { now: () => performance.now() }
  const liars = memoryBans({ termMs: SHUN_LIAR_MS, ...clock })
  const absent = memoryBans({ termMs: SHUN_ABSENT_MS, ...clock })
  const endpoints = new Set<string>()
  /** Addresses that only the DHT has led to. */
  let fromTable: ReadonlySet<string> = new Set()
  const greeted = memoryBans({ termMs: GREET_AGAIN_MS, subjectsMax: GREETED_MAX, ...clock })
  const rumours = openRumours({ ...options, onFalse: (subjects) => shun(subjects, absent) })

  const shun = (subjects: readonly string[], list: typeof liars): void => {
    for (const subject of subjects) list.ban(subject, '')
  }
  const catchOut = ({ subjects, endpoint, close }: PeerConversation): void => {
    shun(subjects, liars)
    if (endpoint !== undefined) acquaintances.forget(endpoint)
    close()
  }
  const isShunned = ({ subjects }: PeerConversation): boolean =>
    subjects.some((subject) => liars.isBanned(subject) || absent.isBanned(subject))

  const urlOf = (conversation: PeerConversation): string => `${URL_SCHEME}${conversation.name.slice('peer '.length)}/`

  const live = (): readonly PeerConversation[] => {
    for (const [url, { isOpen }] of conversations) if (!isOpen) conversations.delete(url)
    return [...conversations.values()].filter((conversation) => !isShunned(conversation))
  }

  const keep = (conversation: PeerConversation): void => {
    conversations.set(urlOf(conversation), conversation)
    const { endpoint } = conversation
    if (endpoint === undefined) return
    endpoints.add(endpoint)
    for (const oldest of endpoints) {
      if (endpoints.size <= CALLS_MAX * 4) break
      endpoints.delete(oldest)
    }
    acquaintances.met(endpoint)
  }

  /** A conversation with whoever is at the address; undefined if nobody answers. Errors: ABORTED if `signal` is. */
  const converse = async (
    address: string,
    signal?: AbortSignal,
    topics?: readonly string[],
  ): Promise<PeerConversation | undefined> => {
    const open = live().find(({ endpoint }) => endpoint === address)
    if (open !== undefined) return open
    const ending = signal === undefined ? stopped : AbortSignal.any([signal, stopped])
    try {
      const conversation = await (await meeting()).call(address, { topics, signal: ending })
      keep(conversation)
      if (!isShunned(conversation)) return conversation
      conversation.close()
    } catch (error) {
      if (signal?.aborted) throw error
      acquaintances.missed(address)
      log.debug(`${name}: ${messageOf(error)}`)
    }
    return undefined
  }

  /**
   * What the machine at the address says of the releases. It is called for this: one that has called us may claim to be at any
   * port of its address. Errors: ABORTED.
   */
  const agesFrom = async (address: string, releases: readonly OfferedRelease[], signal: AbortSignal) => {
    const ages: (readonly [release: string, ageSeconds: number])[] = []
    try {
      const conversation = await (await meeting()).call(address, { signal })
      try {
        for (const { name: release, digest } of releases) {
          const ageSeconds = await conversation.ageOf(release, digest, signal)
          if (ageSeconds !== undefined) ages.push([release, ageSeconds])
        }
      } finally {
        conversation.close()
      }
    } catch (error) {
      if (signal.aborted) throw error
      log.debug(`${name}: ${messageOf(error)}`) // It has no say in what it did not answer.
    }
    return ages
  }

  /** Those whom the owner has named, then whoever was met before. */
  const whomToCall = (): readonly string[] => [...new Set([...named(), ...acquaintances.all()])].slice(0, CALLS_MAX)

  const callAll = async (addresses: readonly string[], signal?: AbortSignal, topics: readonly string[] = []) => {
    await Promise.all(addresses.map((address) => converse(address, signal, topics)))
  }

  const ranked = (): readonly PeerConversation[] => {
    const trusted = named()
    const rank = ({ endpoint }: PeerConversation): number =>
      endpoint !== undefined && trusted.includes(endpoint) ? 0 : 1
    return [...live()].sort((a, b) => rank(a) - rank(b) || b.edition.timestamp - a.edition.timestamp)
  }

  const told = (conversation: PeerConversation): void => {
    if (isShunned(conversation)) {
      conversation.close()
      return
    }
    keep(conversation)
    library.edition().then(
      (mine) => {
        if (conversation.edition.timestamp > mine.timestamp) rumours.heard(conversation)
      },
      () => undefined, // What this machine has cannot be read: the next look says so.
    )
  }

  const tellAll = async (): Promise<void> => {
    const mine = await library.edition()
    const isBehind = (conversation: PeerConversation): boolean => conversation.edition.timestamp < mine.timestamp
    for (const conversation of live()) if (isBehind(conversation)) conversation.tell(mine)
    await callAll(whomToCall()) // Whoever answers hears what this machine has.
  }

  return {
    find: async (atLeast, { search, signal }) => {
      const knowing = () => ranked().filter(({ edition }) => edition.timestamp >= atLeast)
      if (search) await callAll(whomToCall(), signal)
      if (search && knowing().length === 0) {
        const { addresses, topics } = await orAborted(pointer.find(), signal)
        const some = addresses.slice(0, CALLS_MAX)
        fromTable = new Set(some)
        await callAll(some, signal, topics)
      }
      return knowing()
        .slice(0, CALLS_MAX)
        .map((conversation) => `${urlOf(conversation)}${METADATA}`)
    },
    ask: async (url, signal) => {
      const base = url.slice(0, url.indexOf('/', URL_SCHEME.length) + 1)
      const conversation = conversations.get(base)
      if (conversation === undefined) throw new UpdateError('SOURCE_UNREACHABLE', `${base} has gone`)
      const path = url.slice(base.length)
      const { role = '' } = roleOfFile(path.slice(METADATA.length)) ?? {}
      const bytes = await conversation.fetch(path, maxBytesOf(role), signal)
      return bytes === undefined ? replyOf(404) : replyOf(200, bytes)
    },
    disappointed: (url, error) => {
      const conversation = conversations.get(url.slice(0, -METADATA.length))
      if (conversation === undefined) return
      log.info(`${name}: ${conversation.name} is not asked for a while: ${error.message}`)
      if (IS_LIE.has(error.code)) catchOut(conversation)
      else {
        shun(conversation.subjects, absent)
        conversation.close()
      }
    },
    file: async ({ path, lengthBytes, sha256 }, signal) => {
      const { dir, base } = posix.parse(path)
      const asked = new Set<PeerConversation>()
      for (const isLast of [false, true]) {
        if (isLast) await callAll(whomToCall(), signal)
        for (const conversation of ranked()
          .filter((each) => !asked.has(each))
          .slice(0, CALLS_MAX)) {
          asked.add(conversation)
          try {
            const bytes = await conversation.fetch(`targets/${dir}/${sha256}.${base}`, lengthBytes, signal)
            if (bytes === undefined) continue
            if (bytes.length === lengthBytes && createHash('sha256').update(bytes).digest('hex') === sha256) {
              if (conversation.endpoint !== undefined) acquaintances.met(conversation.endpoint, true)
              return bytes
            }
            log.info(`${name}: ${conversation.name} gives other bytes than the signed ones for ${path}`)
            catchOut(conversation)
          } catch (error) {
            if (signal.aborted || !isUpdateError(error)) throw error
            log.debug(`${name}: ${error.message}`)
          }
        }
      }
      return undefined
    },
    addresses: () => [...endpoints],
    kindOf: (url) => (fromTable.has(url.slice(URL_SCHEME.length).replace(/\/.*$/, '')) ? 'dht' : 'peer'),
    settled: ({ changed, from }) => {
      options.onSettled(from)
      const { endpoint } = conversations.get(from.url) ?? {}
      if (endpoint !== undefined) acquaintances.met(endpoint, true)
      const follow = async (): Promise<void> => {
        ;(await meeting()).setTopics(await topicsOf(library))
        rumours.settled(await library.edition(), changed)
        if (changed) await tellAll()
        await acquaintances.save()
        await pointer.tend()
      }
      follow().catch((error: unknown) => {
        if (!stopped.aborted) log.debug(`${name}: other machines are not told: ${messageOf(error)}`)
      })
    },
    firstSeen: async (releases, signal) => {
      const answers = await Promise.all([...new Set(named())].map((address) => agesFrom(address, releases, signal)))
      const times = new Map<string, string[]>()
      for (const [release, ageSeconds] of answers.flat()) {
        const at = new Date(Math.max(0, now().getTime() - ageSeconds * 1000)).toISOString()
        times.set(release, [...(times.get(release) ?? []), at])
      }
      return times
    },
    told,
    greet: (address) => {
      if (greeted.isBanned(address)) return
      greeted.ban(address, '')
      acquaintances.met(address)
      converse(address).then(
        (conversation) => conversation !== undefined && told(conversation),
        () => undefined, // It is an acquaintance now, and may be called later.
      )
    },
    close: () => {
      rumours.close()
      for (const conversation of conversations.values()) conversation.close()
    },
  }
}

const orAborted = <T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> => {
  if (signal === undefined) return work
  const { promise, reject } = Promise.withResolvers<never>()
  const onAbort = (): void => reject(new UpdateError('ABORTED', 'searching for other machines was interrupted'))
  signal.addEventListener('abort', onAbort, { once: true })
  return Promise.race([work, promise]).finally(() => signal.removeEventListener('abort', onAbort))
}

/** Where machines of this repository meet, whichever of its roots they have pinned. */
export const topicsOf = async (library: OwnLibrary): Promise<readonly string[]> => (await library.roots()).map(topicOf)
