// Who was in the swarms when the origin stopped. Without it, a restart would blind the tracker until every machine has
// announced again: half a minute in which newcomers find nobody. Written on a graceful stop; a kill only costs that wait.
import { LIMITS } from '@updraft/core/limits'
import * as z from 'zod'
import type { Log } from './log.ts'
import { rememberedFile } from './remembered.ts'

const rememberedSchema = z.object({
  infoHash: z.string().regex(/^[0-9a-f]{40}$/),
  peerId: z.string().regex(/^[0-9a-f]{40}$/),
  ip: z.union([z.ipv4(), z.ipv6()]),
  port: z.int().min(1).max(65_535),
  complete: z.boolean(),
})

export type RememberedPeer = z.output<typeof rememberedSchema>

/** Those who were there longer ago have announced elsewhere, or are gone. */
const USEFUL_FOR_MS = 120_000
const BYTES_PER_PEER = 256

const file = rememberedFile({
  name: '.peers.json',
  what: 'the peers',
  schema: z.object({
    version: z.literal(1),
    savedAt: z.iso.datetime(),
    peers: z.array(rememberedSchema).max(LIMITS.trackerPeersMax).readonly(),
  }),
  bytesMax: LIMITS.trackerPeersMax * BYTES_PER_PEER,
})

/** The peers of the last stop; none if that is too long ago, or if the file says nothing sensible. */
export const readRememberedPeers = async (
  repository: string,
  now: Date,
  log: Log,
): Promise<readonly RememberedPeer[]> => {
  const { savedAt = '', peers = [] } = (await file.read(repository, log)) ?? {}
  const age = now.getTime() - Date.parse(savedAt)
  return age >= 0 && age < USEFUL_FOR_MS ? peers : []
}

export const writeRememberedPeers = (
  repository: string,
  peers: readonly RememberedPeer[],
  now: Date,
  log: Log,
): Promise<void> => file.write(repository, { version: 1, savedAt: now.toISOString(), peers }, log)
