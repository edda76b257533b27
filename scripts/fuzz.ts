// `npm run fuzz -- TARGET --minutes N`: coverage-guided fuzzing of one parser that meets bytes from outside, or of `all`, one
// after the other. Without a target it lists them. Inputs that found something new are kept under `.data/fuzz/`, so that the
// next run goes on from there; those that broke something are named at the end, and belong into test/fixtures/fuzz/TARGET/,
// which `npm test` tries for ever.
import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Order, Told } from '../test/fuzz/child.ts'
import { TARGETS } from '../test/fuzz/targets.ts'
import { optionsOf } from './options.ts'
import { PROJECT } from './steps.ts'

/** No input that a parser takes may keep it for so long. */
const HANG_MS = 60_000
/** Where there is no terminal. */
const LINE_EVERY_MS = 60_000
const MEMORY_MEBIBYTES = 1_024

const USAGE = `npm run fuzz -- TARGET [options]

  --minutes N    how long (1)
  --seed N       goes the same way again, as far as timing allows
  --input FILE   tries this one input, and nothing else

Example: npm run fuzz -- bundle --minutes 10

TARGET is one of these, or all:
${Object.entries(TARGETS)
  .map(([name, { what }]) => `  ${name.padEnd(14)}${what}`)
  .join('\n')}`
const { minutes, input, positionals, ...rest } = optionsOf(USAGE, {
  numbers: { minutes: 1 },
  texts: ['seed', 'input'],
  positionals: true,
})
const [wanted] = positionals
const names = wanted === 'all' ? Object.keys(TARGETS) : [wanted ?? '']
const seed = Number(rest.seed ?? crypto.getRandomValues(new Uint32Array(1))[0])

if (wanted === undefined) {
  process.stdout.write(`${USAGE}\n`)
} else if (names.some((name) => !Object.hasOwn(TARGETS, name)) || !(minutes > 0) || !Number.isSafeInteger(seed)) {
  process.stderr.write(`error: no such target or number: ${process.argv.slice(2).join(' ')}\n`)
  process.exitCode = 2
} else if (input !== undefined) {
  await using open = await TARGETS[names[0] ?? '']?.open()
  await open?.attempt(readFileSync(input))
  process.stdout.write('nothing happened that must not\n')
} else {
  let crashes = 0
  for (const name of names) crashes += await fuzzTarget(name)
  process.exitCode = crashes === 0 ? 0 : 1
}

/** Returns how many different things went wrong. */
async function fuzzTarget(name: string): Promise<number> {
  const folder = join(PROJECT, '.data/fuzz', name)
  const [corpus, crashes, current] = [join(folder, 'corpus'), join(folder, 'crashes'), join(folder, 'current')]
  mkdirSync(corpus, { recursive: true })
  mkdirSync(crashes, { recursive: true })
  const known = new Map<string, string>()
  const crashed = (key: string, input: Uint8Array, what: string): void => {
    if (known.has(key)) return
    known.set(key, keep(crashes, input))
    process.stdout.write(`\n${name}: ${what}\n`)
  }

  const child = fork(fileURLToPath(new URL('../test/fuzz/child.ts', import.meta.url)), {
    serialization: 'advanced',
    execArgv: ['--disable-warning=ExperimentalWarning', `--max-old-space-size=${MEMORY_MEBIBYTES}`],
  })
  const order: Order = {
    target: name,
    seconds: minutes * 60,
    seed,
    found: readdirSync(corpus).map((file) => readFileSync(join(corpus, file))),
    current,
  }
  child.send(order)
  const startedAt = performance.now()
  let heardAt = startedAt
  let toldAt = startedAt
  let figures = `${name}: nothing was tried`
  child.on('message', (message: Told) => {
    heardAt = performance.now()
    if (message.kind === 'kept') keep(corpus, message.input)
    else if (message.kind === 'crash') crashed(keyOf(message.stack), message.input, message.stack)
    else {
      const { attempts, reached, places } = message
      const rate = Math.round(attempts / Math.max(1, (heardAt - startedAt) / 1000))
      figures = `${name}: ${attempts} inputs, ${rate} a second; ${reached} of ${places} places reached; ${known.size} defects`
      if (process.stdout.isTTY) process.stdout.write(`\r${figures}`)
      else if (heardAt >= toldAt + LINE_EVERY_MS) {
        process.stdout.write(`${figures}\n`)
        toldAt = heardAt
      }
    }
  })
  const watch = setInterval(() => {
    if (performance.now() < heardAt + HANG_MS) return
    crashed('hang', inputIn(current), `an input was not done within ${HANG_MS / 1000} s`)
    child.kill('SIGKILL')
  }, 1_000)
  const [code, signal] = await once(child, 'exit')
  clearInterval(watch)
  if (code !== 0 && known.size === 0) crashed('end', inputIn(current), `the process ended with ${code ?? signal}`)
  process.stdout.write(`${process.stdout.isTTY ? '\r' : ''}${figures} (seed ${seed})\n`)
  for (const path of known.values()) process.stdout.write(`  ${relative(PROJECT, path)}\n`)
  return known.size
}

function keep(folder: string, input: Uint8Array): string {
  const path = join(folder, `${createHash('sha256').update(input).digest('hex').slice(0, 16)}.bin`)
  writeFileSync(path, input)
  return path
}

/** What was being tried; see `Order`. */
function inputIn(path: string): Uint8Array {
  const bytes = readFileSync(path)
  return bytes.subarray(4, 4 + bytes.readUInt32LE())
}

/** The same fault from many inputs is told once: numbers in its text differ, its place does not. */
function keyOf(stack: string): string {
  const [message = '', ...frames] = stack.split('\n')
  const place = frames.find((frame) => /\/(?:core|agent|publisher|extension|test)\//.test(frame)) ?? ''
  return `${message.slice(0, 60).replaceAll(/\d+/g, '#')} ${place}`
}
