// `npm run bench:agent`: what an idle agent costs: how long it takes from its start to its first answer, and what memory and
// CPU it takes with 100 and with 1,000 seeded bundles; as its service runs it, by hand and from source; and in the same run, on the same content,
// transmission-daemon and syncthing from Debian. What is not installed is left out and named. `--json FILE` writes the same
// figures. At the end many looks are simulated in one process, with what it takes on the way.
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Server as TrackerServer } from 'bittorrent-tracker'
import { AGENT_PACKAGES, ensureDebianPackages } from '../../scripts/debian-packages.ts'
import { openStage } from '../../scripts/demo/stage.ts'
import { optionsOf } from '../../scripts/options.ts'
import { packageProgram } from '../../scripts/package.ts'
import { PROJECT } from '../../scripts/steps.ts'
import { makeSmallBuild } from '../support/small-build.ts'
import { startAgent, type Way } from './agent/agent-process.ts'
import { COMPETITORS, type Daemon } from './agent/competitors.ts'
import { keepInHome, makeContent } from './agent/content.ts'
import { runCycles } from './agent/cycles.ts'
import { cpuMsOf, cpuPercentOver, type Memory, memoryOf, whenAtRest } from './agent/usage.ts'

const USAGE = `npm run bench:agent -- [options]

What an idle agent costs, beside transmission-daemon and syncthing.

  --bundles N,N    how many are kept and seeded (100,1000)
  --starts N       of which the median is printed (7)
  --seconds N      how long each is watched at rest (30)
  --cycles N       looks that are simulated in one process at the end, with what it takes on the way (10000)
  --only NAME      those with this in their name: service, by hand, source, transmission, syncthing, cycles
  --json FILE      the same figures

Example: npm run bench:agent -- --bundles 100 --starts 5 --cycles 0`
const {
  seconds,
  starts: startCount,
  cycles: cycleCount,
  bundles: bundleCounts = '100,1000',
  only,
  json,
} = optionsOf(USAGE, { numbers: { seconds: 30, starts: 7, cycles: 10_000 }, texts: ['bundles', 'only', 'json'] })

interface Row extends Memory {
  readonly name: string
  readonly bundles: number
  /** Median of the starts; for the others of Debian one start. */
  readonly toFirstAnswerMs: number
  /** From the start until all is seeded and nothing more happens. */
  readonly startCpuMs: number
  readonly idleCpuPercent: number
}

const print = (line: string): void => void process.stdout.write(`${line}\n`)
const median = (numbers: readonly number[]): number =>
  [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN
const isWanted = (name: string): boolean => only === undefined || name.includes(only)

const packages = ensureDebianPackages(AGENT_PACKAGES)
if (packages.missing.length > 0) print(`left out: ${packages.missing.join(', ')}: ${packages.why}`)

const work = await mkdtemp(join(tmpdir(), 'ub-'))
try {
  const shipped = await packageProgram('updraft-agent', join(work, 'dist'))
  const ways: readonly Way[] = [
    { name: 'updraft-agent, service', program: shipped, asService: true },
    { name: 'updraft-agent, by hand', program: shipped, asService: false },
    { name: 'updraft-agent, source', program: join(PROJECT, 'agent/bin/updraft-agent.mjs'), asService: false },
  ]
  await using stage = await openStage({ directory: join(work, 's'), product: 'acme' })
  await stage.init()
  await stage.publish(await makeSmallBuild(join(work, 'build')), '1.0.0')
  await stage.startOrigin()
  // The origin's tracker knows only what the origin has published.
  const tracker = new TrackerServer({ http: true, udp: false, ws: false, stats: false, interval: 600_000 })
  await new Promise<void>((listening) => tracker.listen(0, { http: '127.0.0.1', udp: '', udp6: '' }, listening))
  const announce = `http://127.0.0.1:${(tracker.http.address() as { port: number }).port}/announce`

  const rows: Row[] = []
  for (const bundles of bundleCounts
    .split(',')
    .map(Number)
    .filter((count) => count > 0)) {
    const content = await makeContent(join(work, `c${bundles}`), bundles - 1, announce)
    // A home as it is in real life: one product from a source that it looks at, and what it has kept.
    const agent = await stage.agent(`a${bundles}`)
    await agent.start()
    await agent.whenInstalled('1.0.0')
    await agent.stop()
    await writeFile(
      join(agent.home, 'agent.json'),
      '{ "network": { "allowLoopback": true, "dht": false, "localDiscovery": false }, "products": { "acme": { "source": "demo" } } }',
    )
    await keepInHome(agent.home, content)

    for (const way of ways.filter(({ name }) => isWanted(name))) {
      const starts: number[] = []
      // One that is not measured: bundles that are new to an agent are hashed once, and what is compiled is kept.
      {
        await using first = await startAgent(way, agent.home)
        await whenAtRest(first.pid, 300)
      }
      for (let start = 1; start < startCount; start += 1) {
        await using early = await startAgent(way, agent.home)
        starts.push(early.toFirstAnswerMs)
      }
      await using daemon = await startAgent(way, agent.home)
      starts.push(daemon.toFirstAnswerMs)
      rows.push(await watch(way.name, bundles, daemon, median(starts)))
    }
    for (const competitor of COMPETITORS.filter(({ name }) => isWanted(name))) {
      const folder = join(work, `${competitor.name}-${bundles}`)
      await mkdir(folder, { recursive: true })
      await using daemon = await competitor.start(content, folder)
      rows.push(await watch(competitor.name, bundles, daemon, daemon.toFirstAnswerMs))
    }
  }
  tracker.http.closeAllConnections()
  await new Promise<void>((closed) => tracker.close(closed))
  printRows(rows)
  const cycles = isWanted('cycles') && cycleCount > 0 ? await runCycles(cycleCount) : []
  if (cycles.length > 0) print('\n  cycles   seconds   heap MiB   open files   files at home   database KiB   rows')
  for (const row of cycles) {
    const figures = [
      String(row.cycles).padStart(8),
      row.seconds.toFixed(0).padStart(10),
      (row.heapBytes / 2 ** 20).toFixed(1).padStart(11),
      String(row.openFiles).padStart(13),
      String(row.homeFiles).padStart(16),
      (row.databaseBytes / 1_024).toFixed(0).padStart(15),
      String(Object.values(row.rows).reduce((sum, count) => sum + count, 0)).padStart(7),
    ]
    print(figures.join(''))
  }
  if (json !== undefined) await writeFile(json, `${JSON.stringify({ seconds, rows, cycles }, null, 2)}\n`)
} finally {
  await rm(work, { recursive: true, force: true })
}

async function watch(name: string, bundles: number, { pid }: Daemon, toFirstAnswerMs: number): Promise<Row> {
  await whenAtRest(pid, 300)
  const startCpuMs = cpuMsOf(pid)
  const idleCpuPercent = await cpuPercentOver(pid, seconds)
  return { name, bundles, toFirstAnswerMs, startCpuMs, idleCpuPercent, ...memoryOf(pid) }
}

function printRows(rows: readonly Row[]): void {
  for (const bundles of new Set(rows.map((row) => row.bundles))) {
    print(`\n${bundles} seeded, ${seconds} s at rest; × is the ratio to updraft-agent as its service runs it`)
    print(
      '                          first answer      ×   RSS MiB      ×   PSS MiB      ×   idle CPU      ×   start CPU s',
    )
    const some = rows.filter((row) => row.bundles === bundles)
    const [ours] = some
    for (const row of some) {
      const figure = (
        field: 'toFirstAnswerMs' | 'rssMib' | 'pssMib' | 'idleCpuPercent',
        unit: string,
        digits: number,
      ) =>
        `${row[field].toFixed(digits)}${unit}`.padStart(10) + (row[field] / (ours?.[field] ?? 1)).toFixed(2).padStart(7)
      print(
        `${row.name.padEnd(26)}${figure('toFirstAnswerMs', ' ms', 0).padStart(18)}${figure('rssMib', '', 1)}` +
          `${figure('pssMib', '', 1)}${figure('idleCpuPercent', ' %', 3)}${(row.startCpuMs / 1_000).toFixed(2).padStart(14)}`,
      )
    }
  }
}
