// What the extension costs: its size, and the time it takes VS Code to load and activate it, as VS Code itself measures
// it ("Developer: Show Running Extensions"), in the oldest and the newest one.
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Browser } from 'playwright-core'
import { buildExtension } from '../../scripts/build-extension.ts'
import { packageExtension } from '../../scripts/package-extension.ts'
import { launchChromium } from '../support/chromium.ts'
import type { Lane } from '../support/vscode-install.ts'
import { startVscode } from '../support/vscode-server.ts'
import { openWorkbench } from '../support/workbench.ts'

/** Odd, so that the median is one of them. The first window also warms the disk cache. */
const WINDOWS = 5

const activationsMs = async (lane: Lane, vsix: string, home: string, browser: Browser): Promise<readonly number[]> => {
  const settings = { 'workbench.startupEditor': 'none' }
  await using server = await startVscode({ lane, vsix, settings, environment: { UPDRAFT_HOME: home } })
  const figures: number[] = []
  while (figures.length < WINDOWS) {
    await using window = await openWorkbench(browser, server)
    await window.statusItem('updraft.updraft.agent').waitFor()
    await window.runCommand('Developer: Show Running Extensions')
    const row = window.page.locator('.runtime-extensions-editor .monaco-list-row', { hasText: 'Updraft' })
    const text = await row.getByText(/Activation: \d+ms/).textContent()
    figures.push(Number(/Activation: (\d+)ms/.exec(text ?? '')?.[1]))
  }
  return figures
}

const medianOf = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

const { values } = parseArgs({ options: { json: { type: 'string' } } })
const folder = await mkdtemp(join(tmpdir(), 'updraft-bench-'))
try {
  const vsix = await packageExtension(join(folder, 'updraft.vsix'))
  const browser = await launchChromium()
  try {
    const figures = {
      bundleBytes: (await stat(await buildExtension())).size,
      vsixBytes: (await stat(vsix)).size,
      floorActivationMs: medianOf(await activationsMs('floor', vsix, folder, browser)),
      latestActivationMs: medianOf(await activationsMs('latest', vsix, folder, browser)),
    }
    for (const [name, figure] of Object.entries(figures)) process.stdout.write(`${name.padEnd(20)} ${figure}\n`)
    if (values.json !== undefined) await writeFile(values.json, JSON.stringify(figures))
  } finally {
    await browser.close()
  }
} finally {
  await rm(folder, { recursive: true })
}
