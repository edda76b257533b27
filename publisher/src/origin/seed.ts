// The first seeder: shares the newest releases and their patches with the swarm, and only torrents whose every byte was compared
// with the signed metainfo in this process. It never fetches: what is damaged is reported, not repaired from strangers.
import { dirname } from 'node:path'
import { messageOf } from '@updraft/core/errors'
import type { Swarm, SwarmTorrent } from '@updraft/core/swarm/swarm'
import { verifyTorrent } from '../repository/verify-torrent.ts'
import type { PublishedRelease, PublishedTorrent } from '../repository.ts'
import { newestReleases } from './catalog.ts'
import type { Log } from './log.ts'
import type { Problem } from './problem.ts'

export interface Seeder extends AsyncDisposable {
  /** TCP port for peers; 0 if nothing is ever seeded. */
  readonly port: number
  /** Infohashes that are shared now. */
  seeding(): ReadonlySet<string>
  /** All that was sent to peers so far. */
  sentBytes(): number
  /** One for each torrent that should be shared and cannot be. */
  problems(): readonly Problem[]
  /** Stops what is no longer among the newest, then verifies and shares what is new. Not to be called twice at a time. */
  follow(releases: readonly PublishedRelease[], signal: AbortSignal): Promise<void>
}

export interface SeederOptions {
  readonly swarm: Swarm
  /** How many releases of each product on each platform. */
  readonly releasesMax: number
  /** Where to announce: this origin's own tracker, as machines reach it, and the repository's other ones. */
  readonly trackers: readonly string[]
  readonly log: Log
}

/** For an origin that serves metadata and tracks, and leaves the bytes to others. */
export const noSeeder: Seeder = {
  port: 0,
  seeding: () => new Set(),
  sentBytes: () => 0,
  problems: () => [],
  follow: async () => {},
  [Symbol.asyncDispose]: async () => {},
}

/** Owns the swarm: disposing of the seeder leaves all swarms and closes it. */
export const openSeeder = ({ swarm, releasesMax, trackers, log }: SeederOptions): Seeder => {
  const torrents = new Map<string, SwarmTorrent>()
  /** By torrents that are seeded no longer. */
  let formerBytes = 0
  let problems: readonly Problem[] = []

  const start = async (published: PublishedTorrent, signal: AbortSignal): Promise<void> => {
    const metainfo = await verifyTorrent(published, signal)
    const { infoHash } = metainfo
    const torrent = await swarm.add({
      metainfo,
      directory: dirname(published.directory),
      have: 'all',
      trackers,
      webSeeds: [],
      onWarning: (reason) => log.debug({ release: published.description, reason }, 'swarm'),
    })
    torrents.set(infoHash, torrent)
    log.info({ release: published.description, infoHash }, 'seeding')
  }

  return {
    port: swarm.port,
    seeding: () => new Set(torrents.keys()),
    sentBytes: () => torrents.values().reduce((sum, torrent) => sum + torrent.state().uploadedBytes, formerBytes),
    problems: () => problems,
    follow: async (releases, signal) => {
      const wanted = new Map(
        newestReleases(releases, releasesMax).flatMap((release) =>
          release.torrents.map((torrent) => [torrent.infoHash, torrent] as const),
        ),
      )
      for (const [infoHash, torrent] of torrents) {
        if (wanted.has(infoHash)) continue
        torrents.delete(infoHash)
        formerBytes += torrent.state().uploadedBytes
        await torrent.remove()
        log.info({ infoHash }, 'no longer seeding')
      }
      const failed: Problem[] = []
      for (const [infoHash, published] of wanted) {
        if (torrents.has(infoHash)) continue
        try {
          await start(published, signal)
        } catch (error) {
          if (signal.aborted) return
          const summary = `${published.description} is not seeded`
          const detail = messageOf(error)
          const told = problems.some((problem) => problem.summary === summary && problem.detail === detail)
          if (!told) log.error({ err: error }, summary)
          failed.push({ summary, detail })
        }
      }
      problems = failed
    },
    [Symbol.asyncDispose]: async () => {
      torrents.clear()
      await swarm[Symbol.asyncDispose]()
    },
  }
}
