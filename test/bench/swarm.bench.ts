// `npm run bench:swarm`: one scenario in network namespaces with shaped links, with our swarm, libtorrent, aria2 and plain
// HTTP, turn about in one run. `--help` lists the options and exit codes; docs/swarm.md explains the figures.
import { spawnSync } from 'node:child_process'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { EXIT_CODES, UpdateError } from '@updraft/core/errors'
import { createMetainfo } from '@updraft/core/swarm/metainfo'
import { printFailure } from '@updraft/core/terminal/failure'
import { ensureDebianPackages, LAB_PACKAGES } from '../../scripts/debian-packages.ts'
import { workFolder, writeRandomFile } from './samples.ts'
import { fluidBoundSeconds } from './swarm/bound.ts'
import { ALL_CONTESTANTS } from './swarm/contestants.ts'
import { type LabOptions, parseOptions, USAGE } from './swarm/options.ts'
import { type RaceFigures, race } from './swarm/race.ts'
import { describeScenario, formatTable, rowOf } from './swarm/table.ts'

const TIMEOUT_BOUNDS = 15
const TIMEOUT_SECONDS_MIN = 60

const print = (text: string): void => void process.stdout.write(text)
const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => interruption.abort(new UpdateError('ABORTED', `${signal}: everything is taken down`)))
}

try {
  const options = parseOptions(process.argv.slice(2))
  if (options.help) print(USAGE)
  else await run(options)
} catch (error) {
  process.exitCode = printFailure('bench:swarm', error, false)
}

async function run({ scenario, contestants, runs, timeoutSeconds, json, profile }: LabOptions): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new UpdateError('PERMISSION', 'only root can make network namespaces', { hint: 'run it with sudo' })
  }
  const { missing, why } = ensureDebianPackages(LAB_PACKAGES)
  if (missing.length > 0) print(`not there: ${missing.join(', ')}: ${why}\n`)
  if (spawnSync('ip', ['-Version']).status !== 0) {
    throw new UpdateError('IO', 'there is no program ip', { hint: 'install the package iproute2' })
  }

  const work = await workFolder('lab', (scenario.agents + 2) * scenario.sizeBytes)
  try {
    const seedDirectory = join(work, 'seed')
    const pack = join(seedDirectory, 'bench', 'pack')
    await mkdir(join(seedDirectory, 'bench'), { recursive: true })
    await writeRandomFile(pack, scenario.sizeBytes)
    const metainfo = await createMetainfo({
      name: 'bench',
      files: [{ path: 'pack', file: pack }],
      pieceLength: scenario.pieceLength,
      trackers: [],
      webSeeds: scenario.httpOnly ? ['http://10.77.0.2:8080/'] : [],
    })
    const torrent = join(work, 'bench.torrent')
    await writeFile(torrent, metainfo.bytes)

    const boundSeconds = fluidBoundSeconds(scenario)
    print(`${describeScenario(scenario)}\nfluid lower bound ${boundSeconds.toFixed(2)} s\n`)
    const figures = new Map<string, RaceFigures[]>()
    const taking = ALL_CONTESTANTS.filter(({ name }) => contestants.includes(name)).filter(({ name, missing }) => {
      const lacking = missing()
      if (lacking !== undefined) print(`left out: ${name}: ${lacking} is not installed\n`)
      return lacking === undefined
    })
    for (let turn = 1; turn <= runs; turn += 1) {
      for (const contestant of taking) {
        const result = await race({
          contestant,
          scenario,
          torrent,
          seedDirectory,
          agentsDirectory: join(work, 'agents'),
          timeoutSeconds: timeoutSeconds ?? Math.max(TIMEOUT_SECONDS_MIN, TIMEOUT_BOUNDS * boundSeconds),
          boundSeconds,
          isSame: (file) => spawnSync('cmp', ['-s', pack, file]).status === 0,
          profile,
          signal: interruption.signal,
        })
        process.stderr.write(`run ${turn} of ${runs}: ${contestant.name} ${result.seconds.toFixed(2)} s\n`)
        figures.set(contestant.name, [...(figures.get(contestant.name) ?? []), result])
      }
    }

    const rows = [...figures].map(([name, results]) => rowOf(name, results, scenario, boundSeconds))
    print(formatTable(rows))
    const isPartial = taking.some(({ name }) => name === 'http') && !scenario.httpOnly
    if (isPartial)
      print(`http: each agent fetched a ${scenario.agents}th of the file; times and bytes are multiplied\n`)
    if (json !== undefined) {
      const everything = { scenario, boundSeconds, runs, rows, races: Object.fromEntries(figures) }
      await writeFile(json, `${JSON.stringify(everything, null, 2)}\n`)
    }
    if (rows.some(({ seconds }) => !Number.isFinite(seconds))) process.exitCode = EXIT_CODES.unreachable
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}
