// What a person sees when the repository of a real product is not what it should be: each finding made for real, by doing to
// the repository what an attacker or an accident would do.
import { createPrivateKey, sign } from 'node:crypto'
import { readdir, readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from '@jest/globals'
import type { ProductStatus } from '@updraft/core/control/api'
import type { ControlClient } from '@updraft/core/control/client'
import { canonicalBytes } from '@updraft/core/trust/canonical'
import type { FindingCode } from '@updraft/core/trust/finding'
import { nameOfFinding } from '../../extension/src/finding-names.ts'
import { runProgram } from '../../scripts/demo/program.ts'
import type { Stage } from '../../scripts/demo/stage.ts'
import type { Step } from '../support/story.ts'
import { until } from '../support/workbench.ts'
import { STATUS_ITEM, type WindowContext } from './context.ts'

export interface RealContext extends WindowContext {
  readonly stage: Stage
  readonly client: ControlClient
  readonly publish: (version: string, seed: number, ...args: string[]) => Promise<void>
  readonly product: () => Promise<ProductStatus | undefined>
}

export const realFindingTests = (step: Step, context: () => RealContext): void => {
  const metadata = (name: string) => join(context().stage.repository, 'metadata', name)
  const picture = (name: string) => context().window.picture(`${context().lane}-${name}`)
  const colour = async () => {
    const item = context().window.statusItem(STATUS_ITEM)
    return /\b(warning|error)-kind\b/.exec((await item.getAttribute('class')) ?? '')?.[0]
  }
  const isFound = (code: FindingCode) =>
    until(async () => (await context().product())?.trust.findings.some((finding) => finding.code === code) === true)
  /** The finding stands in the view of trust, by its product. */
  const isShown = async (code: FindingCode) => {
    await isFound(code)
    const { window } = context()
    await window.runCommand('Updraft: Focus on Trust View')
    await window
      .row(`acme: ${nameOfFinding(code)}`)
      .first()
      .waitFor()
  }
  const checkNow = () => context().client.check()
  /** What was wrong stays until a look succeeds. */
  const isGone = async (code: FindingCode) => {
    await checkNow()
    await until(async () => (await context().product())?.trust.findings.every((found) => found.code !== code) === true)
  }

  step('a mirror that was set back is refused, told once, and explained', async () => {
    const old = await readFile(metadata('timestamp.json'))
    await context().publish('1.2.0', 3)
    await checkNow()
    await until(async () => (await context().product())?.available?.version === '1.2.0')
    const fresh = await readFile(metadata('timestamp.json'))
    await writeFile(metadata('timestamp.json'), old)
    await checkNow()
    await isShown('metadata-rollback')
    expect(await colour()).toBe('error-kind')
    const notification = await context().window.notification('Updraft has blocked an update of acme')
    await picture('rollback-attempt')
    await notification.getByRole('button', { name: 'Show Details' }).click()
    const frame = await context().window.frameWith('Message of the agent')
    expect(await frame.locator('body').textContent()).toContain('refused the older list')
    await frame.locator('h1').first().hover() // It stands still then, and is drawn.
    await picture('finding-page')
    await context().window.runCommand('Updraft: Explain All Warnings')
    await context().window.frameWith('The agent installs only what the publisher has signed')
    await context().window.runCommand('View: Close All Editors')
    await writeFile(metadata('timestamp.json'), fresh)
    await isGone('metadata-rollback')
  })

  step('a signature that does not hold blocks updates, and what is installed stays', async () => {
    const good = await readFile(metadata('timestamp.json'), 'utf8')
    const spoilt = JSON.parse(good) as { signatures: { sig: string }[] }
    for (const signature of spoilt.signatures) {
      signature.sig = (signature.sig.startsWith('0') ? '1' : '0') + signature.sig.slice(1)
    }
    await writeFile(metadata('timestamp.json'), JSON.stringify(spoilt))
    await checkNow()
    await isShown('metadata-untrusted')
    expect((await context().product())?.installed?.version).toBe('1.0.0')
    expect(await context().window.statusItem(STATUS_ITEM).getAttribute('aria-label')).toBe(
      'Updraft: an update of acme was blocked',
    )
    expect(await colour()).toBe('error-kind')
    await picture('real-tampering')
    await writeFile(metadata('timestamp.json'), good)
    await isGone('metadata-untrusted')
  })

  step('a list that has expired stops updates without a colour', async () => {
    const good = await readFile(metadata('timestamp.json'), 'utf8')
    await writeFile(metadata('timestamp.json'), await expired(good, context().stage))
    await checkNow()
    await isShown('metadata-expired')
    await until(async () => (await colour()) === undefined)
    await picture('expired')
  })

  step('a release that was withdrawn says so', async () => {
    const { stage } = context()
    const args = ['yank', 'acme', '1.0.0', '--repo', stage.repository, '--reason', 'it eats homework']
    const { exitCode, stderr } = await runProgram('updraft-publisher', args)
    if (exitCode !== 0) throw new Error(stderr)
    await checkNow()
    await isShown('release-yanked')
    await picture('yanked')
  })

  step('a source that is not trusted any more is a problem of the settings', async () => {
    const { window, home, client, product } = context()
    const source = (await client.status()).sources[0]
    const environment = { UPDRAFT_HOME: home }
    await window.runCommand('Updraft: Stop Trusting a Source')
    await picture('stop-trusting')
    await window.dialog.getByRole('button', { name: 'Stop Trusting' }).click()
    await isShown('root-unknown')
    expect(await colour()).toBe('warning-kind')
    await window.runCommand('Problems: Focus on Problems View')
    await window.page
      .locator('.markers-panel')
      .getByText('does not trust the source of these updates')
      .first()
      .waitFor()
    await picture('root-unknown')

    // Trusted as it comes, it stays visible until somebody has compared it.
    const add = ['trust', 'add', source?.url ?? '', '--name', source?.name ?? '', '--on-first-use']
    await runProgram('updraft-agent', add, { environment })
    await checkNow()
    await isShown('root-on-first-use')
    await window.runCommand('Updraft: Compare Fingerprint')
    await window.dialog.getByRole('button', { name: 'They Are the Same' }).click()
    await until(async () => (await client.status()).sources[0]?.root.pinnedBy === 'fingerprint')
    await until(
      async () => (await product())?.trust.findings.every(({ code }) => code !== 'root-on-first-use') === true,
    )
  })

  step('somebody else in the place of the publisher is not believed', async () => {
    const { stage, folder } = context()
    const other = join(folder, 'other')
    await runProgram('updraft-publisher', ['init', other, '--product', 'acme', '--no-passphrase'])
    await rename(join(stage.repository, 'metadata'), join(stage.repository, 'true-metadata'))
    await rename(join(other, 'metadata'), join(stage.repository, 'metadata'))
    await checkNow()
    await isShown('metadata-untrusted')
    expect(await colour()).toBe('error-kind')
    await picture('impostor')
  })
}

/** The timestamp signed again by its own key, and long over. */
const expired = async (text: string, { repository }: Stage): Promise<string> => {
  const { signed, signatures } = JSON.parse(text) as {
    readonly signed: { readonly version: number; readonly expires: string }
    readonly signatures: readonly { readonly keyid: string }[]
  }
  const keys = `${repository}.keys`
  const name = (await readdir(keys)).find((file) => file.startsWith('timestamp-')) ?? ''
  const key = createPrivateKey(await readFile(join(keys, name)))
  const again = { ...signed, version: signed.version + 1, expires: '2026-01-01T00:00:00Z' }
  const signature = { keyid: signatures[0]?.keyid ?? '', sig: sign(null, canonicalBytes(again), key).toString('hex') }
  return JSON.stringify({ signed: again, signatures: [signature] })
}
