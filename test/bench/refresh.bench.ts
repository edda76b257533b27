// `npm run bench:refresh`: what a refresh takes of the process that does it, in a repository of 1,000 products and 10,000 releases: time,
// processor, and for how long at a time the event loop stood still, which is how long nobody was answered meanwhile.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout } from 'node:timers/promises'
import { parseProduct } from '@updraft/core/names'
import { table } from '@updraft/core/terminal/plain-text'
import { refresh } from '../../agent/src/refresh.ts'
import { optionsOf } from '../../scripts/options.ts'
import { memoryFloors, sourceOf } from '../support/refreshing.ts'
import { EVERYTHING, serveRepository, simulateRepository } from '../support/repository-simulator.ts'

const [PRODUCTS, RELEASES] = [1_000, 10]
const products = Array.from({ length: PRODUCTS }, (_, number) => `product-${number}`)

/** The server is a process of its own: what it takes is not the agent's. */
const serve = async (): Promise<void> => {
  const repository = simulateRepository({ products: [] })
  for (const product of products) {
    repository.addProduct(product)
    for (let release = 0; release < RELEASES; release += 1) repository.addRelease(product, `1.${release}.0`)
  }
  repository.publish(...products, ...EVERYTHING)
  const served = await serveRepository(repository)
  process.on('message', (order: 'timestamp' | 'all') => {
    if (order === 'all') repository.publish(...products, 'snapshot')
    repository.publish('timestamp')
    process.send?.('done')
  })
  process.send?.({ url: served.url, root: repository.rootBytes(1).toString('base64') })
}

interface Row {
  readonly refresh: string
  readonly seconds: number
  readonly cpuSeconds: number
  readonly longestTurnCpuMs: number
  readonly longestDelayMs: number
  readonly delay99Ms: number
}

const measure = async <T>(what: string, work: () => Promise<T>): Promise<Row> => {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  await setTimeout(50)
  delay.enable()
  using turns = watchTurns()
  const [startedAt, cpu] = [performance.now(), process.cpuUsage()]
  await work()
  const [tookMs, used] = [performance.now() - startedAt, process.cpuUsage(cpu)]
  await setTimeout(5) // The last stretch counts once a timer has come through.
  delay.disable()
  return {
    refresh: what,
    seconds: tookMs / 1_000,
    cpuSeconds: (used.user + used.system) / 1e6,
    longestTurnCpuMs: turns.longestMs(),
    longestDelayMs: delay.max / 1e6,
    delay99Ms: delay.percentile(99) / 1e6,
  }
}

/**
 * The most processor time between two turns of the event loop. Where others use the machine as well, the delay of a timer says how long
 * those took; this does not.
 */
const watchTurns = (): Disposable & { longestMs(): number } => {
  let [longest, isOver] = [0, false]
  let before = process.threadCpuUsage()
  const turn = (): void => {
    const now = process.threadCpuUsage()
    longest = Math.max(longest, now.user + now.system - before.user - before.system)
    before = now
    if (!isOver) setImmediate(turn)
  }
  turn()
  return {
    longestMs: () => longest / 1_000,
    [Symbol.dispose]: () => {
      isOver = true
    },
  }
}

const run = async (): Promise<void> => {
  const child = fork(import.meta.filename, ['serve'], { execArgv: process.execArgv })
  const directory = await mkdtemp(join(tmpdir(), 'updraft-bench-refresh-'))
  try {
    const [{ url, root }] = (await once(child, 'message')) as [{ readonly url: string; readonly root: string }]
    const order = async (what: 'timestamp' | 'all'): Promise<void> => {
      child.send(what)
      await once(child, 'message')
    }
    const source = sourceOf(Buffer.from(root, 'base64'), [url])
    const look = (folder: string, wanted: readonly string[]) =>
      refresh(source, wanted.map(parseProduct), {
        cacheDirectory: join(directory, folder),
        floors: memoryFloors(),
        now: () => new Date(),
      })
    const rows = [
      await measure('one product, first look', () => look('one', products.slice(0, 1))),
      await measure('one product, nothing new', () => look('one', products.slice(0, 1))),
      await measure(`${PRODUCTS} products, first look`, () => look('all', products)),
      await measure(`${PRODUCTS} products, nothing new`, () => look('all', products)),
    ]
    await order('timestamp')
    rows.push(await measure(`${PRODUCTS} products, a new timestamp`, () => look('all', products)))
    await order('all')
    rows.push(await measure(`${PRODUCTS} products, all of them new`, () => look('all', products)))
    const header = ['refresh', 's', 'CPU s', 'longest turn, CPU ms', 'longest delay, ms', '99 %, ms']
    const cells = rows.map((row) => [
      row.refresh,
      row.seconds.toFixed(2),
      row.cpuSeconds.toFixed(2),
      ...[row.longestTurnCpuMs, row.longestDelayMs, row.delay99Ms].map((ms) => ms.toFixed(0)),
    ])
    process.stdout.write(`${table(header, cells)}\n`)
    if (json !== undefined) await writeFile(json, JSON.stringify(rows, undefined, 2))
  } finally {
    child.kill()
    await rm(directory, { recursive: true, force: true })
  }
}

const USAGE = `npm run bench:refresh -- [--json FILE]

Example: npm run bench:refresh -- --json /tmp/refresh.json`
const { json, positionals } = optionsOf(USAGE, { texts: ['json'], positionals: true })
await (positionals.includes('serve') ? serve() : run())
