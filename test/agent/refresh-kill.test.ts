// Processes that are killed in the middle of a refresh, or meet each other in it: real ones, at every step.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type RefreshOrder, runRefresh } from '../support/refresh-process.ts'
import {
  type RepositorySimulator,
  type ServedRepository,
  serveRepository,
  simulateRepository,
} from '../support/repository-simulator.ts'

const PROGRAM = join(import.meta.dirname, '../support/refresh-process.ts')
const OLD = { root: 1, timestamp: 1, snapshot: 1, targets: 1, acme: 1 }
const NEW = { root: 2, timestamp: 2, snapshot: 2, targets: 2, acme: 2 }

let repository: RepositorySimulator
let served: ServedRepository
let home: string
let rootFile: string
let seeded: string

beforeAll(async () => {
  repository = simulateRepository()
  served = await serveRepository(repository)
  home = await mkdtemp(join(tmpdir(), 'updraft-kill-'))
  rootFile = join(home, 'root.json')
  await writeFile(rootFile, repository.rootBytes(1))
  seeded = await mkdtemp(join(home, 'seeded-'))
  await runRefresh(place(seeded), async () => {})
  repository.publish('root', 'acme', 'targets', 'snapshot', 'timestamp')
})

afterAll(async () => {
  await served[Symbol.asyncDispose]()
  await rm(home, { recursive: true, force: true })
})

const place = (directory: string) => ({ directory, url: served.url, rootFile })

/** A copy of the state in which everything is at version 1, while the repository is at version 2. */
const newPlace = async (): Promise<string> => {
  const directory = await mkdtemp(join(home, 'place-'))
  cpSync(seeded, directory, { recursive: true, verbatimSymlinks: true })
  return directory
}

const start = (directory: string, order: Pick<RefreshOrder, 'at' | 'action'>): ChildProcess =>
  spawn(process.execPath, [PROGRAM, JSON.stringify({ ...place(directory), ...order })], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })

interface Ended {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly output: string
}

const ended = async (child: ChildProcess): Promise<Ended> => {
  let output = ''
  child.stdout?.on('data', (data: Buffer) => {
    output += data
  })
  const [code, signal] = await once(child, 'close')
  return { code, signal, output }
}

/** Versions in the copy in force; throws if any file in it is not whole. */
const committed = (directory: string): Record<string, number> => {
  const current = join(directory, 'metadata', 'test', 'current')
  const versions = readdirSync(current).map((name) => {
    const { signed } = JSON.parse(readFileSync(join(current, name), 'utf8'))
    return [name.replace(/^\d+\./, '').replace('.json', ''), signed.version]
  })
  return { root: 1, ...Object.fromEntries(versions) }
}

const leftovers = (directory: string) =>
  readdirSync(join(directory, 'metadata', 'test')).filter((name) => /^(copy|scratch)|tmp$/.test(name)).length - 1

test('killed before any step, the copy in force is the old or the new one, whole, and the next refresh goes on', async () => {
  const whole = await newPlace()
  const { output, code } = await ended(start(whole, { at: 0, action: 'kill' }))
  expect(code).toBe(0)
  expect(committed(whole)).toEqual(NEW)
  const steps = Number(/steps (\d+)/.exec(output)?.[1])
  expect(steps).toBeGreaterThan(15)

  const outcomes: string[] = []
  const killAt = async (at: number) => {
    const directory = await newPlace()
    const { signal } = await ended(start(directory, { at, action: 'kill' }))
    expect(signal).toBe('SIGKILL')
    const versions = committed(directory)
    expect([OLD, NEW]).toContainEqual(versions)
    outcomes[at] = versions.timestamp === 2 ? 'new' : 'old'
    await runRefresh(place(directory), async () => {})
    expect(committed(directory)).toEqual(NEW)
    expect(leftovers(directory)).toBe(0)
  }
  const numbers = Array.from({ length: steps }, (_, i) => i + 1)
  await Promise.all(
    [0, 1, 2].map(async (worker) => {
      for (const at of numbers.filter((number) => number % 3 === worker)) await killAt(at)
    }),
  )
  // First old, then new, and never back.
  expect(outcomes.slice(1).join(' ')).toMatch(/^(old )+new( new)*$/)
})

test('two processes never refresh one cache at once; the lock goes with its process', async () => {
  const directory = await newPlace()
  const other = start(directory, { at: 3, action: 'wait' })
  await once(other.stdout ?? other, 'data')
  await expect(runRefresh(place(directory), async () => {})).rejects.toMatchObject({ code: 'LOCKED' })
  expect(committed(directory)).toEqual(OLD)

  other.stdin?.end()
  expect(await ended(other)).toMatchObject({ code: 0 })
  expect(committed(directory)).toEqual(NEW)

  const third = start(directory, { at: 2, action: 'wait' })
  await once(third.stdout ?? third, 'data')
  third.kill('SIGKILL')
  await ended(third)
  await runRefresh(place(directory), async () => {})
  expect(leftovers(directory)).toBe(0)
})
