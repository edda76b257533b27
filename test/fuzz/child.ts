// One target under coverage guidance, in a process that its parent can end when an input hangs. Loads the target after the
// counters are set up, because only modules that are loaded then are counted.
import { openSync, writeSync } from 'node:fs'
import { watchCoverage } from './coverage.ts'
import { fuzz } from './loop.ts'
import { randomOf } from './random.ts'

/** What the parent sends first. */
export interface Order {
  readonly target: string
  readonly seconds: number
  readonly seed: number
  readonly found: readonly Uint8Array[]
  /** The file that each input is written to before it is tried: its length in four bytes, then its bytes. */
  readonly current: string
}

export interface Figures {
  readonly attempts: number
  readonly reached: number
  readonly places: number
}

export type Told =
  | { readonly kind: 'kept'; readonly input: Uint8Array }
  | { readonly kind: 'crash'; readonly input: Uint8Array; readonly stack: string }
  | ({ readonly kind: 'progress' } & Figures)

const tell = (message: Told): void => void process.send?.(message)

const run = async ({ target: name, seconds, seed, found, current }: Order): Promise<void> => {
  const coverage = watchCoverage()
  const { TARGETS } = await import('./targets.ts')
  const target = TARGETS[name]
  if (target === undefined) throw new Error(`there is no target ${name}`)

  const file = openSync(current, 'w')
  const head = Buffer.alloc(4)
  let inputNow: Uint8Array = new Uint8Array()
  let attempts = 0
  let told = performance.now()
  const tellFigures = () => tell({ kind: 'progress', attempts, reached: coverage.reached, places: coverage.places })
  const crashed = (input: Uint8Array, error: unknown): void =>
    tell({ kind: 'crash', input, stack: (Error.isError(error) ? error.stack : undefined) ?? String(error) })
  // What an attempt starts and does not wait for ends here.
  process.on('unhandledRejection', (error) => crashed(inputNow, error))
  process.on('uncaughtException', (error) => crashed(inputNow, error))

  await using open = await target.open()
  const end = performance.now() + seconds * 1000
  await fuzz(open, {
    words: target.words,
    random: randomOf(seed),
    isOver: () => performance.now() > end,
    coverage,
    found,
    onAttempt: (input) => {
      inputNow = input
      head.writeUInt32LE(input.length)
      writeSync(file, head, 0, head.length, 0)
      writeSync(file, input, 0, input.length, head.length)
      attempts += 1
      if (performance.now() < told + 1_000) return
      told = performance.now()
      tellFigures()
    },
    onKept: (input) => tell({ kind: 'kept', input }),
    onCrash: crashed,
  })
  tellFigures()
}

process.once('message', (order: Order) => {
  run(order).then(
    () => process.disconnect(),
    (error: unknown) => {
      tell({ kind: 'crash', input: new Uint8Array(), stack: (error as Error).stack ?? String(error) })
      process.exitCode = 1
      process.disconnect()
    },
  )
})
