// `npm run bench:yield`: what is left of a shaped link for an HTTP transfer in the foreground while our swarm moves bytes in the
// background, with yielding and without, in both directions; and what a limit lets through. Root and iproute2; docs/swarm.md explains the figures.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { UpdateError } from '@updraft/core/errors'
import { createMetainfo, pieceLengthFor } from '@updraft/core/swarm/metainfo'
import { printFailure } from '@updraft/core/terminal/failure'
import { optionsOf } from '../../scripts/options.ts'
import { NODE, type Speaker, startSpeaker } from './processes.ts'
import { workFolder, writeRandomFile } from './samples.ts'
import { HEADER_RATIO } from './swarm/bound.ts'
import { commandIn, createNetwork, type Host } from './swarm/network.ts'

const MIB = 1024 * 1024
/** A machine at home. */
const LINK = { up: 10_000_000, down: 20_000_000 }
const BACKGROUND_BYTES = 192 * MIB
const FOREGROUND_SECONDS = 8
/** The background has found its speed by then. */
const HEAD_START_MS = 6_000
const PEERS = 3
const LIMIT_SECONDS = 10
const TRACKER_PORT = 6_969
const WEB_PORT = 8_080

const here = (file: string): string => join(import.meta.dirname, 'swarm', file)
type Direction = 'down' | 'up'
type Background = 'none' | 'as it comes' | 'yielding'

interface Figures {
  readonly foregroundSeconds: number
  /** Share of the link that the background had while the foreground was there. */
  readonly backgroundShare: number
  /** And before. */
  readonly aloneShare: number
}

const USAGE = `npm run bench:yield

What is left of a link for others while our swarm moves bytes, with yielding and without. Needs root and iproute2.

Example: npm run bench:yield`
optionsOf(USAGE, {})

try {
  if (process.getuid?.() !== 0) {
    throw new UpdateError('PERMISSION', 'only root can make network namespaces', { hint: 'run it with sudo' })
  }
  if (spawnSync('ip', ['-Version']).status !== 0) {
    throw new UpdateError('IO', 'there is no program ip', { hint: 'install the package iproute2' })
  }
  await main()
} catch (error) {
  process.exitCode = printFailure('bench:yield', error, false)
}

async function main(): Promise<void> {
  const work = await workFolder('yield', (PEERS + 2) * BACKGROUND_BYTES)
  try {
    const seed = join(work, 'seed')
    await mkdir(join(seed, 'bench'), { recursive: true })
    const pack = join(seed, 'bench', 'pack')
    await writeRandomFile(pack, BACKGROUND_BYTES)
    const metainfo = await createMetainfo({
      name: 'bench',
      files: [{ path: 'pack', file: pack }],
      pieceLength: pieceLengthFor(BACKGROUND_BYTES),
      trackers: [],
      webSeeds: [],
    })
    const torrent = join(work, 'bench.torrent')
    await writeFile(torrent, metainfo.bytes)
    process.stdout.write(
      `a link with ${LINK.up / 1e6} up and ${LINK.down / 1e6} Mbit/s down, a queue of 100 ms, ${PEERS} peers outside\n` +
        'direction  background    foreground s   its share   background’s share, before\n',
    )
    for (const direction of ['down', 'up'] as const) {
      let aloneSeconds = 0
      for (const background of ['none', 'as it comes', 'yielding'] as const) {
        const figures = await measure(direction, background, { work, seed, torrent })
        if (background === 'none') aloneSeconds = figures.foregroundSeconds
        process.stdout.write(
          `${[
            direction.padEnd(11),
            background.padEnd(14),
            figures.foregroundSeconds.toFixed(1).padStart(12),
            percent(aloneSeconds / figures.foregroundSeconds).padStart(12),
            percent(figures.backgroundShare).padStart(21),
            percent(figures.aloneShare).padStart(8),
          ].join('')}\n`,
        )
      }
    }
    for (const direction of ['down', 'up'] as const) {
      const ratio = await measureLimit(direction, { work, seed, torrent })
      process.stdout.write(`a limit of half the link, ${direction}: ${percent(ratio)} of it\n`)
    }
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

interface Files {
  readonly work: string
  readonly seed: string
  readonly torrent: string
}

interface Course {
  readonly home: Host
  readonly outside: (subnet: number) => Host
  readonly start: (host: Host, command: readonly string[]) => Promise<Speaker>
  /** What went over the link of `home` in the direction so far. */
  readonly linkBytes: () => number
}

async function openCourse(direction: Direction, stack: AsyncDisposableStack): Promise<Course> {
  const network = stack.use(createNetwork())
  const outside = (subnet: number): Host => network.addHost({ addresses: [`10.77.${subnet}.1`], link: undefined })
  const start = async (host: Host, command: readonly string[]): Promise<Speaker> => {
    const speaker = startSpeaker(commandIn(host, command))
    stack.defer(() => speaker.stop())
    await speaker.next()
    return speaker
  }
  const home = network.addHost({ addresses: ['10.77.1.1'], link: LINK })
  await start(outside(5), [...NODE, here('tracker.ts'), '--host=10.77.5.1', `--port=${TRACKER_PORT}`])
  const linkBytes = (): number => (direction === 'down' ? home.linkBytes().received : home.linkBytes().sent)
  return { home, outside, start, linkBytes }
}

/** One machine at home, started with `flags`, and those outside that it fetches from, or that fetch from it. */
async function startBackground(
  direction: Direction,
  flags: readonly string[],
  { home, outside, start }: Course,
  { work, seed, torrent }: Files,
  stack: AsyncDisposableStack,
): Promise<void> {
  const roles = direction === 'down' ? (['agent', 'seed'] as const) : (['seed', 'agent'] as const)
  const hosts = [home, ...Array.from({ length: PEERS }, (_, peer) => outside(10 + peer))]
  for (const [number, host] of hosts.entries()) {
    const role = number === 0 ? roles[0] : roles[1]
    const directory = role === 'seed' ? seed : join(work, `agent-${number}`)
    await mkdir(directory, { recursive: true })
    if (role === 'agent') stack.defer(() => rm(directory, { recursive: true, force: true }))
    const peer = await start(host, [
      ...NODE,
      here('our-peer.ts'),
      role,
      `--metainfo=${torrent}`,
      `--directory=${directory}`,
      `--tracker=http://10.77.5.1:${TRACKER_PORT}/announce`,
      ...(number === 0 ? flags : []),
    ])
    peer.tell('go')
  }
}

/** What really moves with a limit, as a ratio to it: payload over ten seconds. */
async function measureLimit(direction: Direction, files: Files): Promise<number> {
  await using stack = new AsyncDisposableStack()
  const course = await openCourse(direction, stack)
  const limit = Math.round(LINK[direction] / 8 / 2)
  const flag = direction === 'down' ? 'download' : 'upload'
  await startBackground(direction, [`--${flag}-limit=${limit}`], course, files, stack)
  await wait(HEAD_START_MS)
  const [before, startedAt] = [course.linkBytes(), performance.now()]
  await wait(LIMIT_SECONDS * 1_000)
  const moved = course.linkBytes() - before
  return moved / HEADER_RATIO / ((performance.now() - startedAt) / 1_000) / limit
}

async function measure(direction: Direction, background: Background, files: Files): Promise<Figures> {
  const { work } = files
  await using stack = new AsyncDisposableStack()
  const course = await openCourse(direction, stack)
  const { home, outside, start, linkBytes } = course
  const web = outside(2)
  const bytesPerSecond = LINK[direction] / 8
  let aloneShare = 0
  if (background !== 'none') {
    await startBackground(direction, background === 'yielding' ? ['--yields'] : [], course, files, stack)
    await wait(HEAD_START_MS / 2)
    const before = linkBytes()
    await wait(HEAD_START_MS / 2)
    aloneShare = (linkBytes() - before) / ((HEAD_START_MS / 2000) * bytesPerSecond)
  }

  const payload = Math.round(bytesPerSecond * FOREGROUND_SECONDS * 0.9)
  const file = join(work, 'foreground')
  await writeRandomFile(file, payload)
  const [server, client] = direction === 'down' ? [web, home] : [home, web]
  await start(server, [...NODE, here('web-server.ts'), work, server.addresses[0] ?? '', `${WEB_PORT}`])
  const before = linkBytes()
  const startedAt = performance.now()
  const [program = '', ...args] = commandIn(client, [
    ...['curl', '--silent', '--fail', '--output', '/dev/null'],
    `http://${server.addresses[0]}:${WEB_PORT}/foreground`,
  ])
  const [code] = await once(spawn(program, args, { stdio: 'ignore' }), 'exit')
  if (code !== 0) throw new UpdateError('IO', `curl ended with ${code}`)
  const foregroundSeconds = (performance.now() - startedAt) / 1000
  const moved = linkBytes() - before
  return {
    foregroundSeconds,
    backgroundShare: Math.max(0, moved - payload * HEADER_RATIO) / (foregroundSeconds * bytesPerSecond),
    aloneShare,
  }
}

function percent(share: number): string {
  return `${(share * 100).toFixed(0)} %`
}
