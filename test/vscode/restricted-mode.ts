// A folder that nobody trusts: it sees the state of the agent, but can neither make it act nor say where it is.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { type ControlServer, productOf, startControlServer, statusOf } from '../extension/control-server.ts'
import { openWorkbench, type Workbench } from '../support/workbench.ts'
import { type LaneContext, STATUS_ITEM } from './context.ts'

/** A publisher's settings, with a mistake. */
const REPOSITORY = { schema: 1, expiryDays: { root: 365, targets: 365, product: 365, snapshot: 7, timestamp: 0 } }

export const restrictedModeTests = (context: () => LaneContext): void => {
  const open = new AsyncDisposableStack()
  let window: Workbench
  let agent: ControlServer
  let foreign: ControlServer

  beforeAll(async () => {
    const { server, browser, home } = context()
    const folder = join(server.folder, 'untrusted')
    await mkdir(join(folder, '.vscode'), { recursive: true })
    const foreignSocket = join(folder, 'foreign.sock')
    await writeFile(join(folder, '.vscode/settings.json'), JSON.stringify({ 'updraft.socketPath': foreignSocket }))
    await mkdir(join(folder, 'r'))
    await writeFile(join(folder, 'r/repository.json'), JSON.stringify(REPOSITORY, undefined, 2))
    foreign = open.use(await startControlServer(foreignSocket, statusOf([productOf('foreign')])))
    agent = open.use(await startControlServer(join(home, 'agent.sock'), statusOf([productOf('acme')])))
    window = open.use(await openWorkbench(browser, server, { folder }))
    await window.statusItem(STATUS_ITEM).waitFor()
    await window.openContainer('Updraft')
  }, 120_000)

  afterAll(() => open.disposeAsync())

  test('the state of the agent is shown', async () => {
    await window.row('acme').waitFor()
    await window.page.locator('#status\\.workspaceTrust').waitFor()
    await window.picture(`${context().lane}-restricted`)
  })

  test('the folder cannot say where the agent is', () => {
    expect(foreign.statusReads()).toBe(0)
  })

  test('the command that makes the agent act is not offered', async () => {
    expect(await window.offeredCommands('Updraft: Refresh')).toContain('Updraft: Refresh')
    expect(await window.offeredCommands('Updraft: Check')).not.toContain('Updraft: Check for Updates')
  })

  test('a key that calls it all the same gets an explanation, and the agent is not asked', async () => {
    await window.page.keyboard.press('Control+Alt+u')
    await window.notification('In Restricted Mode the agent is not asked to do anything')
    expect(agent.checks).toEqual([])
  })

  test('the settings of a publisher are found, completed and checked here as well: nothing acts on them', async () => {
    await window.runCommand('Updraft: Open Repository Settings')
    const editor = window.page.locator('.editor-instance', { hasText: 'expiryDays' })
    await editor.waitFor()
    await window.runCommand('Problems: Focus on Problems View')
    await window.picture(`${context().lane}-repository-problems`)
    await window.page.locator('.markers-panel').getByText('Value is below the minimum of').first().waitFor()
    await editor.locator('.view-line').first().click()
    await window.page.keyboard.press('Control+Home')
    await window.page.keyboard.press('End')
    await window.page.keyboard.press('Enter')
    await window.runCommand('Trigger Suggest')
    const suggestions = window.page.locator('.suggest-widget .monaco-list-row')
    for (const name of ['trackers', 'webSeeds']) await suggestions.filter({ hasText: name }).first().waitFor()
    await window.picture(`${context().lane}-repository-settings`)
  })
}
