// All tests of the packaged extension in one version of VS Code: one server and one browser for the tests inside the
// extension host and for those of what a person sees.
import { mkdir, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { packageExtension } from '../../scripts/package-extension.ts'
import { launchChromium } from '../support/chromium.ts'
import { REPORT_VARIABLE, runInExtensionHost } from '../support/extension-host.ts'
import { describeWith, needsProgram } from '../support/needs.ts'
import { INSTALL_TIMEOUT_MS, type Lane } from '../support/vscode-install.ts'
import { startVscode } from '../support/vscode-server.ts'
import { openWorkbench, type Workbench } from '../support/workbench.ts'
import { AGENT_NAME, type LaneContext, STATUS_ITEM, type WindowContext } from './context.ts'
import { everyFindingTests } from './every-finding.ts'
import { realProductTests, WITHOUT_NODE } from './real-product.ts'
import { restrictedModeTests } from './restricted-mode.ts'
import { windowTests } from './window.ts'

const NEEDS = ['chromium', 'g++', 'make', 'python3'].map(needsProgram)

/** `.vsixmanifest` is written by VS Code when it installs. */
const PACKAGED_FILES = [
  '.vsixmanifest',
  'LICENSE.txt',
  'agent.md',
  'agent.schema.json',
  'changelog.md',
  'dashboard.css',
  'dashboard.js',
  'extension.cjs',
  'icon.png',
  'package.json',
  'package.nls.json',
  'product.md',
  'readme.md',
  'repository.schema.json',
  'source.md',
  'trust.md',
  'updraft-agent.mjs',
  'updraft.svg',
]

const SETTINGS = {
  'workbench.startupEditor': 'none',
  'workbench.secondarySideBar.defaultVisibility': 'hidden',
  // A window with a folder is then in Restricted Mode without a question; an empty window is trusted.
  'security.workspace.trust.startupPrompt': 'never',
}

/** A key reaches a command also where the palette hides it. */
const KEYS = [{ key: 'ctrl+alt+u', command: 'updraft.checkForUpdates' }]

export const testLane = (lane: Lane): void =>
  describeWith(NEEDS, `the extension in VS Code (${lane})`, () => {
    const open = new AsyncDisposableStack()
    let context: LaneContext
    let reportFile: string

    beforeAll(async () => {
      // Short, because the path of a socket has no more than 103 bytes.
      const folder = await mkdtemp(join(tmpdir(), 'updraft-ui-'))
      open.defer(() => rm(folder, { recursive: true }))
      const stageFolder = join(folder, 's')
      const home = join(stageFolder, AGENT_NAME)
      await mkdir(home, { recursive: true })
      reportFile = join(folder, 'report.json')
      const vsix = await packageExtension(join(folder, 'updraft.vsix'))
      const environment = { UPDRAFT_HOME: home, [REPORT_VARIABLE]: reportFile }
      const server = open.use(await startVscode({ lane, vsix, settings: SETTINGS, keybindings: KEYS, environment }))
      const browser = await launchChromium()
      open.defer(() => browser.close())
      context = { lane, server, browser, folder, home, stageFolder }
    }, INSTALL_TIMEOUT_MS)

    afterAll(() => open.disposeAsync(), 60_000)

    test('the tests inside the extension host pass', async () => {
      const entry = join(import.meta.dirname, 'host', 'index.ts')
      const results = await runInExtensionHost(context.browser, context.server, entry, reportFile)
      expect(results.filter(({ error }) => error !== undefined)).toEqual([])
      expect(results.length).toBeGreaterThan(20)
    }, 180_000)

    test('the package holds the bundle, its pictures and its texts, and no sources', async () => {
      const [installed = ''] = await readdir(context.server.extensionsFolder).then((names) =>
        names.filter((name) => name.startsWith('updraft.')),
      )
      const files = await readdir(join(context.server.extensionsFolder, installed), {
        recursive: true,
        withFileTypes: true,
      })
      expect(
        files
          .filter((file) => file.isFile())
          .map(({ name }) => name)
          .sort(),
      ).toEqual(PACKAGED_FILES)
    })

    /**
     * Each with a profile of its own: what VS Code has seen once, such as a step that is done, it does not see again.
     * Nobody says when settings that change later have come to the extension; `machineSettings` are there from the start.
     */
    const inWindow = (
      name: string,
      tests: (context: () => WindowContext) => void,
      machineSettings: Readonly<Record<string, unknown>> = {},
    ): void =>
      describe(name, () => {
        let window: Workbench

        beforeAll(async () => {
          await context.server.writeMachineSettings(machineSettings)
          window = await openWorkbench(context.browser, context.server)
          await window.statusItem(STATUS_ITEM).waitFor()
          await window.openContainer('Updraft')
        }, 120_000)

        tests(() => ({ ...context, window }))

        afterAll(async () => await window[Symbol.asyncDispose]())
      })

    describe('a window', () => {
      inWindow('while agents come and go', windowTests)
      inWindow('with a real product', realProductTests, WITHOUT_NODE)
      inWindow('with sources that are wrong', everyFindingTests)
    })

    describe('a window in Restricted Mode', () => restrictedModeTests(() => context))
  })
