// Starts the agent that is installed as a product, and goes back to the version before if it does not come up. It is what
// cannot be updated: so it is small, has no libraries, and believes nothing but what it sees.
//
// A version is good once it has given a sign of good health and has then stayed up for a while. One that was started several
// times without that is left: its name and why are written down first, then the link `current` is led back, and the agent
// that is started then is told. A kill at any point is followed by the same end.
import { basename, join, resolve } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { endOrphans } from './starter/orphans.ts'
import { readRecord, type StartRecord, writeRecord } from './starter/record.ts'
import { type AgentEnd, runAgent } from './starter/run-agent.ts'
import { currentVersion, hasProgram, leadCurrentTo, programOf } from './starter/versions.ts'

/** With this code an agent says: another version of me is in place. `EXIT_CODES.replaced` of core. */
const REPLACED = 10

const USAGE = `usage: updraft-starter [options] PRODUCT_FOLDER -- run [agent's options]

Runs the agent that is installed below PRODUCT_FOLDER (…/products/NAME), and starts the next one when it has updated itself.

  --fallback FILE       the agent to run while none is installed there, and if none that is comes up
  --program FILE        the agent's file inside a release (updraft-agent.mjs)
  --starts COUNT        starts without a sign of good health before a version is left (3)
  --health-seconds N    how long a start may take until that sign (45)
  --proving-seconds N   how long it has to stay up after that (60)
  --pause-seconds N     before a second start; doubled with each further one (1)
`

export interface StarterOptions {
  readonly productFolder: string
  readonly args: readonly string[]
  readonly fallback: string | undefined
  readonly program: string
  readonly starts: number
  readonly healthTimeoutMs: number
  readonly provingMs: number
  readonly pauseMs: number
  /** Aborted when it is told to stop; the reason is the name of the signal. */
  readonly stop: AbortSignal
}

/** Runs agents until one ends for good; the exit code is that of the last one. */
export const runStarter = async (options: StarterOptions): Promise<number> => {
  const { productFolder, fallback, program, stop } = options
  const path = join(productFolder, 'starter.json')
  let record = readRecord(path)
  /** How the version that is tried has ended the last time, as far as this process knows. */
  let lastEnd: string | undefined
  const remember = (change: Partial<StartRecord>): void => {
    record = { ...record, ...change }
    try {
      writeRecord(path, record)
    } catch (error) {
      // A full disk must not keep the agent from running; until it has room, this process remembers.
      say(`cannot write ${path}: ${(error as Error).message}`)
    }
  }

  await endOrphans(productFolder)
  for (;;) {
    const version = currentVersion(productFolder, program)
    if (version !== undefined && record.left.some((left) => left.version === version)) {
      if (!goBack(record.good, version, options)) return 1
      continue
    }
    if (version === undefined && fallback === undefined) {
      say(`nothing is installed below ${productFolder}, and there is no --fallback`)
      return 1
    }
    // The fallback has nothing behind it, so there is nothing to prove.
    const isTrial = version !== undefined && version !== record.good
    if (isTrial) {
      const starts = record.trying === version ? record.starts : 0
      if (starts >= options.starts && canGoBack(record.good, version, options)) {
        const why = `${lastEnd ?? 'it gave no sign of good health'}, the last of ${starts} starts`
        remember({
          trying: undefined,
          starts: 0,
          left: [...record.left, { version, why, at: new Date().toISOString() }],
        })
        continue
      }
      remember({ trying: version, starts: starts + 1 })
      if (starts > 0)
        await wait(options.pauseMs * 2 ** Math.min(starts - 1, 6), undefined, { signal: stop }).catch(() => {})
    }
    if (stop.aborted) return 0

    let proving: NodeJS.Timeout | undefined
    const prove = () => remember({ good: version, trying: undefined, starts: 0 })
    const ended = await runAgent({
      productFolder,
      program: version === undefined ? resolve(fallback ?? '') : programOf(productFolder, version, program),
      args: options.args,
      greeting: {
        product: basename(productFolder),
        ...(version === undefined ? {} : { version }),
        left: record.left,
      },
      // What has proved itself may take its time, on a machine that is busy.
      healthTimeoutMs: isTrial ? options.healthTimeoutMs : undefined,
      onHealthy: () => {
        if (isTrial) proving = setTimeout(prove, options.provingMs)
      },
      onNoted: (versions) => remember({ left: record.left.filter((left) => !versions.includes(left.version)) }),
      stop,
    })
    clearTimeout(proving)
    const isProved = !isTrial || record.good === version
    if (stop.aborted || (ended.wasHealthy && ended.code === 0)) {
      // Whoever stops it says nothing about its health.
      if (!isProved) remember(ended.wasHealthy ? { starts: 0 } : { starts: Math.max(0, record.starts - 1) })
      return ended.code ?? 0
    }
    const isReplaced = currentVersion(productFolder, program) !== version
    if (isReplaced) {
      lastEnd = undefined
      if (ended.code !== REPLACED) say(`the agent ${ended.how}, and another version is in place`)
      continue
    }
    say(`the agent ${version ?? ''} ${ended.how}`)
    // A version that has proved itself is started again by whoever runs the starter.
    if (isProved || !canGoBack(record.good, version, options)) return ended.code === 0 ? 1 : (ended.code ?? 1)
    lastEnd = wordsOf(ended)
  }
}

const wordsOf = ({ wasHealthy, how }: AgentEnd): string =>
  wasHealthy ? `it ${how} soon after its sign of good health` : `it ${how}`

/** Undefined for the fallback, if there is one. */
const behind = (good: string | undefined, version: string | undefined, { productFolder, program }: StarterOptions) =>
  good !== undefined && good !== version && hasProgram(productFolder, good, program) ? good : undefined

const canGoBack = (good: string | undefined, version: string | undefined, options: StarterOptions): boolean =>
  behind(good, version, options) !== undefined || options.fallback !== undefined

const goBack = (good: string | undefined, version: string, options: StarterOptions): boolean => {
  const to = behind(good, version, options)
  say(`leaves ${version} for ${to ?? options.fallback ?? 'nothing'}`)
  try {
    leadCurrentTo(options.productFolder, to)
    return true
  } catch (error) {
    say(`cannot go back from ${version}: ${(error as Error).message}`)
    return false
  }
}

const say = (text: string): void => {
  process.stderr.write(`updraft-starter: ${text}\n`)
}

/** Reads the command line of this process. */
export const startFromCommandLine = async (argv: readonly string[]): Promise<number> => {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      fallback: { type: 'string' },
      program: { type: 'string', default: 'updraft-agent.mjs' },
      starts: { type: 'string', default: '3' },
      'health-seconds': { type: 'string', default: '45' },
      'proving-seconds': { type: 'string', default: '60' },
      'pause-seconds': { type: 'string', default: '1' },
      help: { type: 'boolean', default: false },
    },
  })
  const [folder, ...args] = positionals
  const numbers = [values.starts, values['health-seconds'], values['proving-seconds'], values['pause-seconds']].map(
    Number,
  )
  const [starts = 0, healthSeconds = 0, provingSeconds = 0, pauseSeconds = 0] = numbers
  if (values.help || folder === undefined || numbers.some((number) => !(number >= 0)) || starts < 1) {
    process.stderr.write(USAGE)
    return values.help ? 0 : 2
  }
  const stop = new AbortController()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => stop.abort(name))
  return runStarter({
    productFolder: resolve(folder),
    args: args.length === 0 ? ['run'] : args,
    fallback: values.fallback,
    program: values.program,
    starts,
    healthTimeoutMs: healthSeconds * 1_000,
    provingMs: provingSeconds * 1_000,
    pauseMs: pauseSeconds * 1_000,
    stop: stop.signal,
  })
}
