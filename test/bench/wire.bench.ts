// `npm run bench:wire`: one connection over loopback, one seed and one receiver in processes of their own: our swarm,
// webtorrent as it comes, libtorrent and aria2, one after the other on the same files. What is not installed is left out
// and named. Prints throughput and the receiver's CPU as ratios to libtorrent; `--json FILE` writes the same figures.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createMetainfo } from '@updraft/core/swarm/metainfo'
import { Server as TrackerServer } from 'bittorrent-tracker'
import { ensureDebianPackages, LAB_PACKAGES } from '../../scripts/debian-packages.ts'
import { optionsOf } from '../../scripts/options.ts'
import { freePort } from './free-port.ts'
import { figuresOf, NODE, PYTHON, startSpeaker } from './processes.ts'
import { median, workFolder, writeRandomFile } from './samples.ts'

const MIB = 1024 * 1024
const USAGE = `npm run bench:wire -- [options]

One connection over loopback: our swarm, libtorrent, aria2, and webtorrent as it comes.

  --size M            MiB (1024)              --runs N       each so often; medians are printed (3)
  --piece-length K    KiB (1024)              --only NAME    one of them
  --json FILE         the same figures

Example: npm run bench:wire -- --size 256 --only updraft`
const options = optionsOf(USAGE, { numbers: { size: 1024, 'piece-length': 1024, runs: 3 }, texts: ['json', 'only'] })
const { size, runs, only, json } = options
const sizeBytes = size * MIB
const pieceLength = options['piece-length'] * 1024

interface Figures {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly seedCpuSeconds: number
}

interface Contestant {
  readonly name: string
  /** Why it cannot take part, or undefined. */
  missing(): string | undefined
  run(arena: Arena): Promise<Figures>
}

/** The files of a run: `seed/bench/pack` is there, `fetch/` is empty. */
interface Arena {
  readonly torrent: string
  readonly seed: string
  readonly fetch: string
}

const here = (file: string): string => join(import.meta.dirname, file)

/** A contestant whose two ends speak JSON lines. */
const speaking = (
  name: string,
  missing: () => string | undefined,
  seedCommand: (arena: Arena) => readonly string[],
  fetchCommand: (arena: Arena, peer: string) => readonly string[],
): Contestant => ({
  name,
  missing,
  run: async (arena) => {
    const seed = startSpeaker(seedCommand(arena))
    const { port } = await seed.next<{ port: number }>()
    const fetch = startSpeaker(fetchCommand(arena, `127.0.0.1:${port}`))
    await fetch.next()
    const { seconds, cpuSeconds } = await fetch.next<{ seconds: number; cpuSeconds: number }>()
    await fetch.stop()
    const ended = seed.stop()
    const { cpuSeconds: seedCpuSeconds } = await seed.next<{ cpuSeconds: number }>()
    await ended
    return { seconds, cpuSeconds, seedCpuSeconds }
  },
})

const ours = speaking(
  'updraft',
  () => undefined,
  ({ torrent, seed }) => [...NODE, here('wire-peer.ts'), 'seed', '--metainfo', torrent, '--directory', seed],
  ({ torrent, fetch }, peer) => [
    ...NODE,
    here('wire-peer.ts'),
    'fetch',
    '--metainfo',
    torrent,
    '--directory',
    fetch,
    '--peer',
    peer,
  ],
)

const stock = speaking(
  'webtorrent as it comes',
  () => undefined,
  ({ torrent, seed }) => [...NODE, here('wire-webtorrent.mjs'), 'seed', torrent, seed],
  ({ torrent, fetch }, peer) => [...NODE, here('wire-webtorrent.mjs'), 'fetch', torrent, fetch, peer],
)

const libtorrent = speaking(
  'libtorrent',
  () => (spawnSync(PYTHON, ['-c', 'import libtorrent']).status === 0 ? undefined : 'needs python3-libtorrent'),
  ({ torrent, seed }) => [PYTHON, here('wire-libtorrent.py'), 'seed', torrent, seed],
  ({ torrent, fetch }, peer) => [PYTHON, here('wire-libtorrent.py'), 'fetch', torrent, fetch, peer],
)

/** aria2 finds peers through trackers only, and says nothing of itself: it is watched from outside. */
const aria2: Contestant = {
  name: 'aria2',
  missing: () => (spawnSync('aria2c', ['--version']).status === 0 ? undefined : 'needs aria2'),
  run: async ({ torrent, seed, fetch }) => {
    const tracker = new TrackerServer({ http: true, udp: false, ws: false, stats: false, interval: 10_000 })
    await new Promise<void>((listening) => tracker.listen(0, { http: '127.0.0.1', udp: '', udp6: '' }, listening))
    const { port } = tracker.http.address() as { port: number }
    const options = [
      `--bt-tracker=http://127.0.0.1:${port}/announce`,
      '--enable-dht=false',
      '--bt-enable-lpd=false',
      '--enable-peer-exchange=false',
      '--file-allocation=none',
      '--console-log-level=error',
      '--summary-interval=0',
      '--quiet=true',
    ]
    const launch = async (directory: string, more: readonly string[]): Promise<ChildProcess> => {
      const args = [...options, `--dir=${directory}`, `--listen-port=${await freePort()}`, ...more, torrent]
      return spawn('aria2c', args, { stdio: 'ignore' })
    }
    const seeder = await launch(seed, ['--bt-seed-unverified=true', '--seed-ratio=0.0'])
    while (Object.keys(tracker.torrents).length === 0) await new Promise((resolve) => setTimeout(resolve, 20))
    const fetcher = await launch(fetch, ['--seed-time=0'])
    const pack = join(fetch, 'bench', 'pack')
    let [startedAt, cpuSeconds] = [0, 0]
    const startCpu = cpuSecondsOf(seeder.pid)
    // It waits for its first announce; the clock starts with the first byte.
    const watch = setInterval(() => {
      cpuSeconds = cpuSecondsOf(fetcher.pid) ?? cpuSeconds
      if (startedAt === 0 && blocksOf(pack) > 0) startedAt = performance.now()
    }, 5)
    await once(fetcher, 'exit')
    clearInterval(watch)
    const seconds = (performance.now() - startedAt) / 1_000
    const seedCpuSeconds = (cpuSecondsOf(seeder.pid) ?? 0) - (startCpu ?? 0)
    seeder.kill('SIGKILL')
    await once(seeder, 'exit')
    tracker.http.closeAllConnections()
    await new Promise<void>((closed) => tracker.close(closed))
    return { seconds, cpuSeconds, seedCpuSeconds }
  },
}

const cpuSecondsOf = (pid: number | undefined): number | undefined => figuresOf(pid)?.cpuSeconds

const blocksOf = (file: string): number => Number(spawnSync('stat', ['-c', '%b', file]).stdout.toString() || 0)

const packages = ensureDebianPackages(LAB_PACKAGES)
if (packages.missing.length > 0) process.stdout.write(`not there: ${packages.missing.join(', ')}: ${packages.why}\n`)
const work = await workFolder('wire', 2.5 * sizeBytes)
try {
  await mkdir(join(work, 'seed', 'bench'), { recursive: true })
  const pack = join(work, 'seed', 'bench', 'pack')
  await writeRandomFile(pack, sizeBytes)
  const metainfo = await createMetainfo({
    name: 'bench',
    files: [{ path: 'pack', file: pack }],
    pieceLength,
    trackers: [],
    webSeeds: [],
  })
  const torrent = join(work, 'bench.torrent')
  await writeFile(torrent, metainfo.bytes)

  const contestants = [ours, libtorrent, aria2, stock].filter(({ name }) => only === undefined || name === only)
  const measured = new Map<string, Figures[]>()
  for (const { name, missing } of contestants) {
    const reason = missing()
    if (reason === undefined) measured.set(name, [])
    else process.stdout.write(`left out: ${name} (${reason})\n`)
  }
  // Turn about, so that whatever else the machine does meets all of them.
  for (let run = 0; run < runs; run += 1) {
    for (const { name, run: race } of contestants) {
      if (!measured.has(name)) continue
      const fetch = join(work, 'fetch')
      await mkdir(fetch)
      const figures = await race({ torrent, seed: join(work, 'seed'), fetch })
      const isSame = spawnSync('cmp', ['-s', pack, join(fetch, 'bench', 'pack')]).status === 0
      await rm(fetch, { recursive: true })
      if (!isSame) throw new Error(`${name} did not fetch what was seeded`)
      measured.get(name)?.push(figures)
    }
  }

  const results = [...measured].map(([name, all]) => ({
    name,
    mibPerSecond: sizeBytes / MIB / median(all.map(({ seconds }) => seconds)),
    cpuSeconds: median(all.map(({ cpuSeconds }) => cpuSeconds)),
    seedCpuSeconds: median(all.map(({ seedCpuSeconds }) => seedCpuSeconds)),
  }))
  const reference = results.find(({ name }) => name === 'libtorrent')
  process.stdout.write(`${size} MiB, pieces of ${pieceLength / 1024} KiB, median of ${runs} runs\n`)
  process.stdout.write('                          MiB/s   × libtorrent   CPU s   × libtorrent   seed CPU s\n')
  for (const { name, mibPerSecond, cpuSeconds, seedCpuSeconds } of results) {
    const ratio = (value: number, other: number | undefined) => (other === undefined ? '-' : (value / other).toFixed(2))
    process.stdout.write(
      `${name.padEnd(24)}${mibPerSecond.toFixed(0).padStart(7)}${ratio(mibPerSecond, reference?.mibPerSecond).padStart(15)}` +
        `${cpuSeconds.toFixed(2).padStart(8)}${ratio(cpuSeconds, reference?.cpuSeconds).padStart(15)}${seedCpuSeconds.toFixed(2).padStart(13)}\n`,
    )
  }
  if (json !== undefined) {
    await writeFile(json, `${JSON.stringify({ sizeBytes, pieceLength, runs, results }, null, 2)}\n`)
  }
} finally {
  await rm(work, { recursive: true, force: true })
}
