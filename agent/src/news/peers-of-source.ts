// The machines that follow one source, as refresh and fetch see them: what they have, what they give, and what they are told. Judges
// nothing that they give, but for the digest of a file that was signed.
import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import { isUpdateError, messageOf, UpdateError } from '@updraft/core/errors'
import { type PeerConversation, topicOf } from '@updraft/core/swarm/news/news'
import { memoryBans } from '@updraft/core/swarm/peers/bans'
import { replyOf } from '../ask.ts'
import type { MetadataOrigin, PeerSource } from '../peer-source.ts'
import { maxBytesOf, roleOfFile } from '../refresh/file-names.ts'
import type { OfferedRelease } from '../store/first-seen.ts'
import { authorityIn, baseOf, CALLS_MAX, type CircleOptions, openCircle, urlOf } from './circle.ts'
import type { OwnLibrary } from './library.ts'
import type { PointerSearch } from './pointer-search.ts'
import { openRumours, type RumourOptions } from './rumours.ts'

export interface PeersOfSourceOptions extends CircleOptions, Pick<RumourOptions, 'random' | 'onNews'> {
  readonly library: OwnLibrary
  /** For when nobody that is known answers. */
  readonly pointer: PointerSearch
  readonly onSettled: (from: MetadataOrigin) => void
  readonly now: () => Date
}

export interface OpenPeersOfSource extends PeerSource {
  /** Somebody has called, or has said something new. */
  told(conversation: PeerConversation): void
  /** A machine of the same repository is near: it is asked what it has, once in a while. */
  greet(address: string): void
  close(): void
}

const METADATA = 'metadata/'
const GREET_AGAIN_MS = 10 * 60_000
const GREETED_MAX = 256

export const openPeersOfSource = (options: PeersOfSourceOptions): OpenPeersOfSource => {
  const { name, library, meeting, acquaintances, named, pointer, log, now, stopped } = options
  const circle = openCircle(options)
  const rumours = openRumours({ ...options, onFalse: circle.ignore })
  const greeted = memoryBans({ termMs: GREET_AGAIN_MS, subjectsMax: GREETED_MAX, now: () => performance.now() })
  /** Addresses that only the DHT has led to. */
  let fromTable: ReadonlySet<string> = new Set()

  const told = (conversation: PeerConversation): void => {
    if (!circle.admit(conversation)) return
    library.edition().then(
      (mine) => {
        if (conversation.edition.timestamp > mine.timestamp) rumours.heard(conversation)
      },
      () => undefined, // What this machine has cannot be read: the next look says so.
    )
  }

  const tellAll = async (): Promise<void> => {
    const mine = await library.edition()
    for (const conversation of circle.ranked()) {
      if (conversation.edition.timestamp < mine.timestamp) conversation.tell(mine)
    }
    await circle.callAll(circle.whomToCall()) // Whoever answers hears what this machine has.
  }

  /** One of these, from this machine, or undefined. Errors: ABORTED. */
  const fetchFrom = async (
    conversation: PeerConversation,
    { path, lengthBytes, sha256 }: Parameters<PeerSource['file']>[0],
    signal: AbortSignal,
  ): Promise<Buffer | undefined> => {
    const { dir, base } = posix.parse(path)
    try {
      const bytes = await conversation.fetch(`targets/${dir}/${sha256}.${base}`, lengthBytes, signal)
      if (bytes === undefined) return undefined
      if (bytes.length === lengthBytes && createHash('sha256').update(bytes).digest('hex') === sha256) {
        circle.praise(conversation)
        return bytes
      }
      log.info(`${name}: ${conversation.name} gives other bytes than the signed ones for ${path}`)
      circle.dismiss(conversation, 'BUNDLE_INVALID')
    } catch (error) {
      if (signal.aborted || !isUpdateError(error)) throw error
      log.debug(`${name}: ${error.message}`)
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

  return {
    find: async (atLeast, { search, signal }) => {
      const knowing = () => circle.ranked().filter(({ edition }) => edition.timestamp >= atLeast)
      if (search) await circle.callAll(circle.whomToCall(), signal)
      if (search && knowing().length === 0) {
        const { addresses, topics } = await orAborted(pointer.find(), signal)
        fromTable = new Set(addresses.slice(0, CALLS_MAX))
        await circle.callAll([...fromTable], signal, topics)
      }
      return knowing()
        .slice(0, CALLS_MAX)
        .map((conversation) => `${urlOf(conversation)}${METADATA}`)
    },
    ask: async (url, signal) => {
      const conversation = circle.under(url)
      if (conversation === undefined) throw new UpdateError('SOURCE_UNREACHABLE', `${baseOf(url)} has gone`)
      const path = url.slice(baseOf(url).length)
      const { role = '' } = roleOfFile(path.slice(METADATA.length)) ?? {}
      const bytes = await conversation.fetch(path, maxBytesOf(role), signal)
      return bytes === undefined ? replyOf(404) : replyOf(200, bytes)
    },
    disappointed: (url, { code, message }) => {
      const conversation = circle.under(url)
      if (conversation === undefined) return
      log.info(`${name}: ${conversation.name} is not asked for a while: ${message}`)
      circle.dismiss(conversation, code)
    },
    file: async (target, signal) => {
      const asked = new Set<PeerConversation>()
      for (const isLast of [false, true]) {
        if (isLast) await circle.callAll(circle.whomToCall(), signal)
        const others = circle.ranked().filter((conversation) => !asked.has(conversation))
        for (const conversation of others.slice(0, CALLS_MAX)) {
          asked.add(conversation)
          const bytes = await fetchFrom(conversation, target, signal)
          if (bytes !== undefined) return bytes
        }
      }
      return undefined
    },
    addresses: circle.addresses,
    kindOf: (url) => (fromTable.has(authorityIn(url)) ? 'dht' : 'peer'),
    settled: ({ changed, from }) => {
      options.onSettled(from)
      circle.praise(circle.under(from.url))
      const follow = async (): Promise<void> => {
        const { setTopics } = await meeting()
        setTopics(await topicsOf(library))
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
      const greet = async (): Promise<void> => told(await (await meeting()).call(address, { signal: stopped }))
      greet().catch(() => undefined) // It is an acquaintance now, and may be called later.
    },
    close: () => {
      rumours.close()
      circle.close()
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
