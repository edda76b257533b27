// What a person sees in one window while agents come, work, warn and go. The tests are one story, in this order.
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { controlClient } from '@updraft/core/control/client'
import { FINDINGS, type FindingCode, trustLevelOf } from '@updraft/core/trust/finding'
import { startProgram } from '../../scripts/demo/program.ts'
import { type ControlServer, productOf, startControlServer, statusOf, updateOf } from '../extension/control-server.ts'
import { until, type Workbench } from '../support/workbench.ts'
import { STATUS_ITEM, type WindowContext } from './context.ts'
import { HOSTILE, hostileProduct } from './host/hostile.ts'

const COMMANDS = ['Check for Updates', 'Copy Diagnostics', 'Refresh', 'Show Log'].map((title) => `Updraft: ${title}`)

export const windowTests = (context: () => WindowContext): void => {
  const open = new AsyncDisposableStack()
  let window: Workbench
  let agent: ControlServer

  const item = () => window.statusItem(STATUS_ITEM)
  const says = (words: string) =>
    window.page.locator(`[id="${STATUS_ITEM}"][aria-label=${JSON.stringify(words)}]`).waitFor()
  const colour = async () => /\b(warning|error)-kind\b/.exec((await item().getAttribute('class')) ?? '')?.[0]
  const welcome = (text: string) => window.page.locator('.welcome-view-content').getByText(text).first().waitFor()
  const picture = (name: string) => window.picture(`${context().lane}-${name}`)
  /** Lets the agent say something else of its products, as after a check. */
  const nowSays = (...products: Parameters<typeof statusOf>[0]): void => {
    agent.status = statusOf(products, agent.status.cursor)
    agent.tell({ kind: 'check', source: 'main' })
  }

  beforeAll(() => {
    window = context().window
  })

  afterAll(() => open.disposeAsync())

  test('without an agent it says what to do, and the status bar is not coloured', async () => {
    await says('Updraft: no agent is running')
    await welcome('No Updraft agent is running on this machine')
    await welcome('updraft-agent run')
    expect(await colour()).toBeUndefined()
    await picture('no-agent')
  })

  test('it connects by itself when a real agent starts, and says when it has stopped', async () => {
    const client = controlClient(join(context().home, 'agent.sock'))
    const isReady = () => client.status().then(Boolean, () => false)
    const real = await startProgram('updraft-agent', ['run'], {
      environment: { UPDRAFT_HOME: context().home },
      isReady,
    })
    await says('Updraft: all is well')
    await welcome('trusts nobody yet')
    expect(await colour()).toBeUndefined()
    await picture('no-products')
    await real.stop()
    await says('Updraft: no agent is running')
  })

  test('the palette offers its commands while an agent is there', async () => {
    agent = open.use(await startControlServer(join(context().home, 'agent.sock'), statusOf([productOf('acme')])))
    await window.runCommand('Updraft: Refresh')
    await window.row('acme').waitFor()
    for (const title of COMMANDS) expect(await window.offeredCommands(title)).toContain(title)
  })

  test('the tree shows a product, and below it versions, trust and signers', async () => {
    await window.unfold('acme, Trusted, 1.0.0 → 1.1.0')
    for (const row of ['Installed, 1.0.0', 'Available, 1.1.0', 'Trusted, 2 signatures, 2 needed', 'Key f0e1d2c3']) {
      await window.row(row).waitFor()
    }
    await window.row('Acme Release Engineering, key 1a2b3c4d').waitFor()
  })

  test('an update shows its progress without colour, and leaves the new version', async () => {
    agent.tell({ kind: 'update', product: 'acme', update: updateOf() })
    await says('Updraft: updating acme, 42%')
    await window.row('Downloading 42%, 42 MB of 100 MB, 3 peers').waitFor()
    expect((await item().textContent())?.trim()).toBe('acme 42%')
    expect(await colour()).toBeUndefined()
    await picture('progress')

    const update = updateOf({ state: 'committed', haveBytes: 100_000_000, endedAt: '2026-03-03T10:05:00.000Z' })
    const installed = {
      version: '1.1.0',
      path: '/p',
      installedAt: '2026-03-03T10:05:00.000Z',
      signers: [],
      threshold: 2,
    }
    nowSays(productOf('acme', { installed, update }))
    await window.row('acme, Trusted, 1.1.0').waitFor()
    await says('Updraft: all is well')
  })

  test('a check asks the agent, for all products or for one', async () => {
    await window.runCommand('Updraft: Check for Updates')
    await until(() => agent.checks.length === 1)
    await window.row('acme').hover()
    await window.row('acme').getByRole('button', { name: 'Check for Updates' }).click()
    await until(() => agent.checks.length === 2)
    expect(agent.checks).toEqual([{}, { product: 'acme' }])
  })

  test('a source that was trusted this moment can be added from, whatever the views still show', async () => {
    const { status } = agent
    agent.status = { ...status, sources: [] }
    agent.tell({ kind: 'check', source: 'main' })
    await window.row('Source main').waitFor({ state: 'detached' })
    agent.status = status
    await window.runCommand('Updraft: Add a Product')
    await window.page.locator('.quick-input-title', { hasText: 'Add a Product' }).waitFor()
    await window.page.keyboard.press('Escape')
  })

  test('a decision about trust is a warning', async () => {
    nowSays(withFinding('root-unknown'))
    await says('Updraft: acme needs your decision')
    expect(await colour()).toBe('warning-kind')
    await picture('decision')
  })

  test('an update blocked by its signatures is an error, with what happened and what to do', async () => {
    nowSays(withFinding('metadata-untrusted'))
    await says('Updraft: an update of acme was blocked')
    expect(await colour()).toBe('error-kind')
    for (const row of [
      'The list of releases is not signed',
      'What happened, The list of releases on the server',
      'What you can do, Nothing on this machine is broken',
      'Message, Root 4 has 1 of 2 signatures',
    ]) {
      await window.row(row).first().waitFor()
    }
    await picture('blocked')
  })

  test('what needs only a look has no colour', async () => {
    nowSays(withFinding('source-unreachable'))
    await says('Updraft: acme needs attention')
    expect(await colour()).toBeUndefined()
  })

  test('hostile texts of an agent are shown as text: no link, no image, no foreign icon', async () => {
    nowSays(hostileProduct())
    const row = window.row('[run] (command:updraft.refresh)').first()
    await row.click()
    const hover = await window.hoverOver(item())
    await hover.getByText('[run] (command:updraft.refresh)').first().waitFor()
    await picture('hostile')
    expect(await hover.locator('img, h1').count()).toBe(0)
    expect(await hover.locator('a').allInnerTexts()).toEqual(['Show Products', 'Show Trust', 'Check for Updates'])
    expect(await hover.locator('.codicon:not(.codicon-error)').count()).toBe(0)
    const tree = window.page.locator('.pane-body .monaco-list')
    expect(await tree.locator('a[href], img').count()).toBe(0)
    expect(await tree.locator('[class*=codicon-verified]').count()).toBe(0)
    expect(await window.page.content()).not.toContain(HOSTILE)
  })

  test('a link in a failure of the agent is no link in the notification', async () => {
    const problem = {
      type: 'x',
      title: 'x',
      status: 409,
      code: 'LOCKED',
      detail: 'see [this](command:updraft.showLog)',
    }
    agent.problem = problem
    await window.runCommand('Updraft: Check for Updates')
    const notification = await window.notification('See [this] (command:updraft.showLog)')
    agent.problem = undefined
    expect(await notification.locator('.notification-list-item-message a').count()).toBe(0)
    await notification.getByRole('button', { name: 'Show Log' }).waitFor()
    await picture('notification')
    await window.runCommand('Notifications: Clear All Notifications')
  })

  test('the setting of the machine names another agent, and is followed at once', async () => {
    const socketPath = join(context().server.folder, 'b.sock')
    await using _other = await startControlServer(socketPath, statusOf([productOf('other')]))
    await context().server.writeMachineSettings({ 'updraft.socketPath': socketPath })
    await window.row('other').waitFor()
    await context().server.writeMachineSettings({})
    await window.row('[run]').first().waitFor()
  })

  test('the log says which agent it is connected to', async () => {
    await window.runCommand('Updraft: Show Log')
    await window.page.locator('.panel .view-lines').getByText('connected to agent 0.1.0').first().waitFor()
  })

  test('the diagnostics name versions, socket and state', async () => {
    await window.runCommand('Updraft: Copy Diagnostics')
    const clipboard = () => window.page.evaluate<string>('navigator.clipboard.readText()')
    await until(async () => (await clipboard()).includes('"extension"'))
    expect(JSON.parse(await clipboard())).toMatchObject({
      extension: '0.1.0',
      link: 'connected',
      socketPath: join(context().home, 'agent.sock'),
    })
  })
}

const withFinding = (code: FindingCode) => {
  const { severity } = FINDINGS[code]
  const finding = {
    code,
    severity,
    message: 'root 4 has 1 of 2 signatures',
    hint: 'ask the publisher',
    since: '2026-03-03',
  }
  const findings = [finding]
  return productOf('acme', { trust: { level: trustLevelOf(findings), signers: [], threshold: 2, findings } })
}
