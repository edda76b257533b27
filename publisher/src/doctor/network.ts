// Asks what the world would ask: the address where a repository is served, and its trackers. Nothing here fails; what does
// not answer is told.

import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { messageOf } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import { createTrackers } from '@updraft/core/swarm/announce/trackers'
import { addressPolicy } from '@updraft/core/swarm/peers/addresses'
import { createGuardedHttp } from '@updraft/core/swarm/web/guarded-http'
import type { SignedTimestamp } from '@updraft/core/trust/metadata'
import type { SignedRole } from '../repository/edition.ts'
import type { Asked } from './diagnosis.ts'

/** As long as a person waits for an answer. */
const TIMEOUT_MS = 10_000

/**
 * Whether `path` below `url` is what this repository has, or, with `expected` undefined, whether anything answers there at all.
 */
export const askSource = async (
  url: string,
  path: string,
  expected: SignedRole<SignedTimestamp> | undefined,
  signal: AbortSignal,
): Promise<Asked> => {
  const fault = async (): Promise<string | undefined> => {
    const response = await fetch(new URL(path, url), {
      redirect: 'manual',
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    })
    if (expected === undefined) {
      await response.body?.cancel()
      return undefined // A web seed has nothing to say about a folder; that it answers is all there is to see.
    }
    if (!response.ok) {
      await response.body?.cancel()
      return `answers ${response.status} for ${path}`
    }
    const bytes = await readAtMost(response, LIMITS.timestampLengthBytes)
    if (bytes === undefined) return `${path} is longer than any timestamp`
    return bytes.equals(expected.bytes) ? undefined : otherTimestamp(bytes, expected)
  }
  return await asked(url, fault)
}

/**
 * Announces the end of a peer that there never was, for the torrent `infoHash`: the tracker has to answer, and remembers nobody.
 * A WebSocket tracker only has to take the connection.
 *
 * Source: BEP 3, BEP 15.
 */
export const askTracker = (url: string, infoHash: string, signal: AbortSignal): Promise<Asked> =>
  asked(url, async () => {
    const limited = AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)])
    if (/^wss?:/.test(url)) return await connectWebSocket(url, limited)
    // The owner of a repository may well try it out on this machine.
    const policy = addressPolicy({ allowLoopback: true })
    using http = createGuardedHttp(policy, 'updraft-publisher doctor')
    const identity = { infoHash, peerId: randomBytes(20).toString('hex'), port: 1 }
    const tracker = createTrackers([url], { identity, policy, http, onWarning: () => {} }).get(url)
    if (tracker === undefined) return 'is no address of a tracker'
    const stopped = { event: 'stopped', uploadedBytes: 0, downloadedBytes: 0, leftBytes: 0 } as const
    await tracker.announce(stopped, limited)
    return undefined
  })

const asked = async (url: string, fault: () => Promise<string | undefined>): Promise<Asked> => {
  try {
    return { url, fault: await fault() }
  } catch (error) {
    const { cause } = error as { readonly cause?: unknown }
    return { url, fault: cause === undefined ? messageOf(error) : `${messageOf(error)}: ${messageOf(cause)}` }
  }
}

const connectWebSocket = async (url: string, signal: AbortSignal): Promise<undefined> => {
  const socket = new WebSocket(url)
  try {
    const failed = once(socket, 'error', { signal }).then(() => {
      throw new Error('no WebSocket connection')
    })
    await Promise.race([once(socket, 'open', { signal }), failed])
    return undefined
  } finally {
    socket.close()
  }
}

const readAtMost = async (response: Response, maxBytes: number): Promise<Buffer | undefined> => {
  const parts: Uint8Array[] = []
  let lengthBytes = 0
  for await (const part of response.body ?? []) {
    lengthBytes += part.length
    if (lengthBytes > maxBytes) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts)
}

const otherTimestamp = (bytes: Buffer, expected: SignedRole<SignedTimestamp>): string => {
  const ours = expected.metadata.signed.version
  const theirs = versionIn(bytes)
  if (theirs === undefined) return 'serves something else than a timestamp'
  if (theirs === ours)
    return `serves another timestamp of version ${ours}: somebody else signs there, or bytes are altered`
  return `serves timestamp ${theirs}, and here is ${ours}: ${theirs < ours ? 'it lags behind, or was not copied yet' : 'this copy is old'}`
}

const versionIn = (bytes: Buffer): number | undefined => {
  try {
    const version: unknown = JSON.parse(bytes.toString('utf8'))?.signed?.version
    return typeof version === 'number' ? version : undefined
  } catch {
    return undefined
  }
}
