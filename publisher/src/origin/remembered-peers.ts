// Who was in the swarms when the origin stopped. Without it, a restart would blind the tracker until every machine has
// announced again: half a minute in which newcomers find nobody. Written on a graceful stop; a kill only costs that wait.
import { join } from 'node:path'
import { messageOf } from '@updraft/core/errors'
import { readFileIfThere, writeFileAtomic } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'
import * as z from 'zod'
import type { Log } from './log.ts'

const rememberedSchema = z.object({
  infoHash: z.string().regex(/^[0-9a-f]{40}$/),
  peerId: z.string().regex(/^[0-9a-f]{40}$/),
  ip: z.union([z.ipv4(), z.ipv6()]),
  port: z.int().min(1).max(65_535),
  complete: z.boolean(),
})

export type RememberedPeer = z.output<typeof rememberedSchema>

const fileSchema = z.object({
  version: z.literal(1),
  savedAt: z.iso.datetime(),
  peers: z.array(rememberedSchema).max(LIMITS.trackerPeersMax).readonly(),
})

/** Those who were there longer ago have announced elsewhere, or are gone. */
const USEFUL_FOR_MS = 120_000
const BYTES_PER_PEER = 256

const fileIn = (repository: string): string => join(repository, '.peers.json')

/** The peers of the last stop; none if that is too long ago, or if the file says nothing sensible. */
export const readRememberedPeers = async (
  repository: string,
  now: Date,
  log: Log,
): Promise<readonly RememberedPeer[]> => {
  try {
    const bytes = await readFileIfThere(fileIn(repository), LIMITS.trackerPeersMax * BYTES_PER_PEER)
    if (bytes === undefined) return []
    const { savedAt, peers } = fileSchema.parse(JSON.parse(bytes.toString('utf8')))
    const age = now.getTime() - Date.parse(savedAt)
    return age >= 0 && age < USEFUL_FOR_MS ? peers : []
  } catch (error) {
    log.warn({ err: error }, `the peers of the last run are not known: ${messageOf(error)}`)
    return []
  }
}

/** A repository that cannot be written to is served all the same. */
export const writeRememberedPeers = async (
  repository: string,
  peers: readonly RememberedPeer[],
  now: Date,
  log: Log,
): Promise<void> => {
  try {
    const content = { version: 1, savedAt: now.toISOString(), peers } satisfies z.output<typeof fileSchema>
    await writeFileAtomic(fileIn(repository), JSON.stringify(content), { mode: 0o600 })
  } catch (error) {
    log.warn({ err: error }, `the peers of this run are not kept: ${messageOf(error)}`)
  }
}
