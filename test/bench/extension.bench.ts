// What the extension costs: its size, and the time it takes VS Code to load and activate it, as VS Code itself measures
// it ("Developer: Show Running Extensions"), in the oldest and the newest one.
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { buildExtension } from '../../scripts/build-extension.ts'
import { optionsOf } from '../../scripts/options.ts'
import { packageExtension } from '../../scripts/package-extension.ts'
import { productOf, startControlServer, statusOf, updateOf } from '../extension/control-server.ts'
import { launchChromium } from '../support/chromium.ts'
import type { Lane } from '../support/vscode-install.ts'
import { startVscode, type VscodeServer } from '../support/vscode-server.ts'
import { openWorkbench, until } from '../support/workbench.ts'

/** Odd, so that the median is one of them. The first window also warms the disk cache. */
const WINDOWS = 5

const LOAD_PRODUCTS = 1_000
const LOAD_EVENTS_PER_SECOND = 100
const LOAD_SECONDS = 10

interface Activation {
  /** Loading and activating, as VS Code measures it: with its own waiting for everything that begins at the same time. */
  readonly activationMs: number
  /** From the bundle's first line until the status bar item was handed to VS Code, as the extension logs it. */
  readonly firstPaintMs: number
  /** How much of it the thread of the extension host has worked; NaN where Node does not count that. */
  readonly firstPaintThreadMs: number
  /** The same as `activationMs`, of the extensions that VS Code brings with it: what is usual on this machine now. */
  readonly builtInMs: Readonly<Record<string, number>>
}

const activationsMs = async (
  lane: Lane,
  vsix: string,
  home: string,
  browser: Browser,
): Promise<readonly Activation[]> => {
  const settings = { 'workbench.startupEditor': 'none' }
  await using server = await startVscode({ lane, vsix, settings, environment: { UPDRAFT_HOME: home } })
  const figures: Activation[] = []
  while (figures.length < WINDOWS) {
    await using window = await openWorkbench(browser, server)
    await window.statusItem('updraft.updraft.agent').waitFor()
    let paints: readonly Paint[] = []
    await until(async () => {
      paints = await firstPaintsIn(server)
      return paints.length > figures.length
    })
    await window.runCommand('Developer: Show Running Extensions')
    const rows = window.page.locator('.runtime-extensions-editor .monaco-list-row', { hasText: /Activation: \d+ms/ })
    await rows.filter({ hasText: 'Updraft' }).first().waitFor()
    const measured = (await rows.allInnerTexts()).map((text): [string, number] => [
      text.split('\n')[0] ?? '',
      Number(/Activation: (\d+)ms/.exec(text)?.[1]),
    ])
    const { Updraft: activationMs = Number.NaN, ...builtInMs } = Object.fromEntries(measured)
    figures.push({ activationMs, ...(paints.at(-1) ?? NOT_PAINTED), builtInMs })
  }
  return figures
}

type Paint = Pick<Activation, 'firstPaintMs' | 'firstPaintThreadMs'>
const NOT_PAINTED: Paint = { firstPaintMs: Number.NaN, firstPaintThreadMs: Number.NaN }

/** What the extension has logged of each of its activations, the oldest first. */
const firstPaintsIn = async ({ folder }: VscodeServer): Promise<readonly Paint[]> => {
  const files = (await readdir(join(folder, 'data', 'logs'), { recursive: true })).filter((file) =>
    file.endsWith('Updraft.log'),
  )
  const logs = await Promise.all(files.map((file) => readFile(join(folder, 'data', 'logs', file), 'utf8')))
  return [...logs.join('').matchAll(PAINT_LINE)]
    .sort(([, a = ''], [, b = '']) => (a < b ? -1 : 1))
    .map(([, , ms, ofThread]) => ({ firstPaintMs: Number(ms), firstPaintThreadMs: Number(ofThread ?? Number.NaN) }))
}

const PAINT_LINE = /^(\S+ \S+) .*first paint after ([\d.]+) ms(?: \(([\d.]+) ms of this thread\))?/gm

interface Load {
  readonly framesPerSecond: number
  readonly longestTaskMs: number
  readonly statusReadsPerSecond: number
}

/** What a window is like while an agent with 1,000 products tells 100 events a second, most of them progress. */
const underLoad = async (vsix: string, home: string, browser: Browser): Promise<Load> => {
  const names = Array.from({ length: LOAD_PRODUCTS }, (_, index) => `product-${index}`)
  await using agent = await startControlServer(join(home, 'agent.sock'), statusOf(names.map((name) => productOf(name))))
  const settings = { 'workbench.startupEditor': 'none' }
  await using server = await startVscode({ lane: 'latest', vsix, settings, environment: { UPDRAFT_HOME: home } })
  await using window = await openWorkbench(browser, server)
  await window.statusItem('updraft.updraft.agent').waitFor()
  await window.openContainer('Updraft')
  await window.row('product-0').first().waitFor()
  let told = 0
  const timer = setInterval(() => {
    const product = names[told % names.length] ?? ''
    told += 1
    const isProgress = told % 10 !== 0
    const update = updateOf({ haveBytes: (told * 100_000) % 100_000_000, state: isProgress ? 'downloading' : 'staged' })
    agent.tell({ kind: 'update', product, update })
  }, 1_000 / LOAD_EVENTS_PER_SECOND)
  const before = agent.statusReads()
  const seen = await window.page.evaluate<{ frames: number; longest: number }>(`new Promise((resolve) => {
    let frames = 0, longest = 0
    new PerformanceObserver((list) => { for (const { duration } of list.getEntries()) longest = Math.max(longest, duration) })
      .observe({ entryTypes: ['longtask'] })
    const count = () => { frames += 1; requestAnimationFrame(count) }
    requestAnimationFrame(count)
    setTimeout(() => resolve({ frames, longest }), ${LOAD_SECONDS * 1_000})
  })`)
  clearInterval(timer)
  return {
    framesPerSecond: Math.round(seen.frames / LOAD_SECONDS),
    longestTaskMs: Math.round(seen.longest),
    statusReadsPerSecond: (agent.statusReads() - before) / LOAD_SECONDS,
  }
}

/** Medians over all windows, by extension. */
const builtInOf = (activations: readonly Activation[]): Readonly<Record<string, number>> =>
  Object.fromEntries(
    // Not every window needs each of them.
    [...new Set(activations.flatMap(({ builtInMs }) => Object.keys(builtInMs)))].map((name) => [
      name,
      medianOf(activations.flatMap(({ builtInMs }) => builtInMs[name] ?? [])),
    ]),
  )

const medianOf = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

const USAGE = `npm run bench:extension -- [--json FILE]

Example: npm run bench:extension -- --json /tmp/extension.json`
const { json } = optionsOf(USAGE, { texts: ['json'] })
const folder = await mkdtemp(join(tmpdir(), 'updraft-bench-'))
try {
  const vsix = await packageExtension(join(folder, 'updraft.vsix'))
  const browser = await launchChromium()
  try {
    const { code, page, agent } = await buildExtension()
    const sizeOf = async (...files: readonly string[]) =>
      (await Promise.all(files.map((file) => stat(file)))).reduce((sum, { size }) => sum + size, 0)
    const floor = await activationsMs('floor', vsix, folder, browser)
    const latest = await activationsMs('latest', vsix, folder, browser)
    const load = await underLoad(vsix, folder, browser)
    const figures = {
      codeBytes: await sizeOf(code),
      pageBytes: await sizeOf(...page),
      agentBytes: await sizeOf(agent),
      vsixBytes: await sizeOf(vsix),
      floorActivationMs: medianOf(floor.map(({ activationMs }) => activationMs)),
      floorFirstPaintMs: medianOf(floor.map(({ firstPaintMs }) => firstPaintMs)),
      latestActivationMs: medianOf(latest.map(({ activationMs }) => activationMs)),
      latestFirstPaintMs: medianOf(latest.map(({ firstPaintMs }) => firstPaintMs)),
      latestFirstPaintThreadMs: medianOf(latest.map(({ firstPaintThreadMs }) => firstPaintThreadMs)),
      ...load,
    }
    for (const [name, figure] of Object.entries(figures)) process.stdout.write(`${name.padEnd(26)} ${figure}\n`)
    process.stdout.write(`activation of what VS Code brings with it, in ms: ${JSON.stringify(builtInOf(latest))}\n`)
    if (json !== undefined) await writeFile(json, JSON.stringify(figures))
  } finally {
    await browser.close()
  }
} finally {
  await rm(folder, { recursive: true })
}
