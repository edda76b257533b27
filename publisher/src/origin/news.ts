// The origin among the machines that follow its repository: gives them metadata and signed descriptions over its swarm port, tells
// some of them when something is new, and keeps the pointer in the DHT. Never says when a release was first seen.
import { createHash } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { messageOf } from '@updraft/core/errors'
import type { Library, Meeting } from '@updraft/core/swarm/news/news'
import { topicOf } from '@updraft/core/swarm/news/news'
import { POINTER_SALT, pointerValueOf, signedBytesOf } from '@updraft/core/swarm/news/pointer'
import type { Swarm } from '@updraft/core/swarm/swarm'
import type { KeySource, Signer } from '../keys/signer.ts'
import type { Repository } from '../repository.ts'
import { openPublicFile, parsePublicPath } from './files.ts'
import type { Log } from './log.ts'

export interface OriginNews extends AsyncDisposable {
  /** The repository is another one now. */
  changed(): void
  /** A machine was met. */
  met(address: string): void
}

export interface OriginNewsOptions {
  readonly swarm: Pick<Swarm, 'meet' | 'table'>
  readonly repository: () => Repository
  /** What the pointer is signed with, once it may be asked for; undefined keeps none. */
  readonly keys: () => KeySource | undefined
  /** `host:port` where machines reach the swarm port. */
  readonly addresses: readonly string[]
  readonly now: () => Date
  readonly log: Log
  readonly renewPointerMs?: number | undefined
}

/** Nodes forget what they are not told again within two hours. */
const RENEW_POINTER_MS = 30 * 60_000
const ROOTS_MAX = 3
const MACHINES_MAX = 64
const TOLD_AT_ONCE = 8

/** Errors: those of `Swarm.meet`. */
export const openOriginNews = async (options: OriginNewsOptions): Promise<OriginNews> => {
  const { swarm, repository, keys, addresses, now, log, renewPointerMs = RENEW_POINTER_MS } = options
  const machines = new Set<string>()
  const stopped = new AbortController()

  const met = (address: string): void => {
    machines.delete(address)
    machines.add(address)
    for (const oldest of machines) {
      if (machines.size <= MACHINES_MAX) break
      machines.delete(oldest)
    }
  }

  const meeting: Meeting = await swarm.meet({
    topics: topicsOf(repository()),
    library: libraryOf(repository),
    onTold: ({ endpoint }) => endpoint !== undefined && met(endpoint),
    onPeer: met,
  })

  const tell = async (): Promise<void> => {
    const some = [...machines].reverse().slice(0, TOLD_AT_ONCE)
    await Promise.all(
      some.map(async (address) => {
        try {
          await meeting.call(address, { signal: stopped.signal }) // It hears what there is, and hangs up when it likes.
        } catch {
          machines.delete(address) // It is not there, or follows something else.
        }
      }),
    )
  }

  const point = async (): Promise<void> => {
    const { table } = swarm
    if (table === undefined) return
    const current = repository()
    const [topic = ''] = topicsOf(current)
    for (const address of topicsOf(current)) table.announce(address)
    const signer = await pointerSigner(current, keys())
    if (signer === undefined) return
    const seq = Math.floor(now().getTime() / 1000)
    const value = pointerValueOf({ topic, timestamp: current.edition.timestamp.metadata.signed.version, addresses })
    const signature = Buffer.from(await signer.sign(signedBytesOf(value, seq)), 'hex')
    const publicKey = Buffer.from(signer.publicKey.keyval.public, 'hex')
    const stored = await table.put({ publicKey, salt: POINTER_SALT, seq, value, signature })
    log.debug({ stored, seq }, 'pointer in the DHT')
  }

  let pointing: Promise<void> = Promise.resolve()
  const pointLater = (): void => {
    pointing = pointing.then(point).catch((error: unknown) => {
      if (!stopped.signal.aborted) log.warn(`the pointer in the DHT was not renewed: ${messageOf(error)}`)
    })
  }
  const timer = setInterval(pointLater, renewPointerMs)
  pointLater()

  return {
    changed: () => {
      meeting.setTopics(topicsOf(repository()))
      tell().catch((error: unknown) => log.debug(`machines are not told: ${messageOf(error)}`))
      pointLater()
    },
    met,
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      stopped.abort()
      meeting.close()
    },
  }
}

/** The newest root first. */
const topicsOf = ({ edition: { roots } }: Repository): readonly string[] => {
  const [first] = roots
  const some = [...new Set([...[...roots].reverse().slice(0, ROOTS_MAX - 1), first])]
  return some.map(({ bytes }) => topicOf(createHash('sha256').update(bytes).digest('hex')))
}

/** A key of the role timestamp that is here and that the DHT knows how to check (BEP 44: Ed25519). */
const pointerSigner = async ({ edition }: Repository, keys: KeySource | undefined): Promise<Signer | undefined> => {
  const { keys: known, roles } = edition.root.metadata.signed
  for (const keyId of roles.timestamp.keyids) {
    if (known[keyId]?.keytype !== 'ed25519') continue
    const signer = await keys?.open(keyId)
    if (signer !== undefined) return signer
  }
  return undefined
}

const libraryOf = (repository: () => Repository): Library => ({
  edition: async () => {
    const { root, timestamp, snapshot } = repository().edition
    return {
      root: root.metadata.signed.version,
      timestamp: timestamp.metadata.signed.version,
      snapshot: snapshot.metadata.signed.version,
    }
  },
  read: async (name, offset, length) => {
    const path = parsePublicPath(`/${name}`, ['metadata', 'targets'])
    if (path === undefined) return undefined
    await using file = await openPublicFile(await realpath(repository().directory), path)
    if (file === undefined || offset > file.sizeBytes) return undefined
    const bytes = Buffer.alloc(Math.min(length, file.sizeBytes - offset))
    const { bytesRead } = await file.handle.read(bytes, 0, bytes.length, offset)
    return bytesRead === bytes.length ? { bytes, totalBytes: file.sizeBytes } : undefined
  },
  ageOf: async () => undefined,
})
