// What the extension costs: its size, and the time it takes VS Code to load and activate it, as VS Code itself measures
// it ("Developer: Show Running Extensions"), in the oldest and the newest one.
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Browser } from 'playwright-core'
import { buildExtension } from '../../scripts/build-extension.ts'
import { packageExtension } from '../../scripts/package-extension.ts'
import { productOf, startControlServer, statusOf, updateOf } from '../extension/control-server.ts'
import { launchChromium } from '../support/chromium.ts'
import type { Lane } from '../support/vscode-install.ts'
import { startVscode } from '../support/vscode-server.ts'
import { openWorkbench } from '../support/workbench.ts'

/** Odd, so that the median is one of them. The first window also warms the disk cache. */
const WINDOWS = 5

const LOAD_PRODUCTS = 1_000
const LOAD_EVENTS_PER_SECOND = 100
const LOAD_SECONDS = 10

interface Activation {
  /** Loading and activating, as VS Code measures it. */
  readonly activationMs: number
  /** From the start of `activate` until the status bar item was handed to VS Code, as the extension logs it. */
  readonly firstPaintMs: number
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
    await window.runCommand('Updraft: Show Log')
    const line = window.page.locator('.panel .view-line', { hasText: /first paint after [\d.]+.ms/ }).last()
    const logged = ((await line.textContent()) ?? '').replaceAll('\u00A0', ' ')
    await window.runCommand('Developer: Show Running Extensions')
    const row = window.page.locator('.runtime-extensions-editor .monaco-list-row', { hasText: 'Updraft' })
    const text = await row.getByText(/Activation: \d+ms/).textContent()
    figures.push({
      activationMs: Number(/Activation: (\d+)ms/.exec(text ?? '')?.[1]),
      firstPaintMs: Number(/first paint after ([\d.]+) ms/.exec(logged)?.[1]),
    })
  }
  return figures
}

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

const medianOf = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

const { values } = parseArgs({ options: { json: { type: 'string' } } })
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
      ...load,
    }
    for (const [name, figure] of Object.entries(figures)) process.stdout.write(`${name.padEnd(22)} ${figure}\n`)
    if (values.json !== undefined) await writeFile(values.json, JSON.stringify(figures))
  } finally {
    await browser.close()
  }
} finally {
  await rm(folder, { recursive: true })
}
