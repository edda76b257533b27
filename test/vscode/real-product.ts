// A real release, from a real publisher through a real origin to a real agent, as a person sees it in VS Code; and then the
// same repository after somebody has tampered with it.
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { openStage, type Stage } from '../../scripts/demo/stage.ts'
import { makeSmallBuild } from '../support/small-build.ts'
import type { Workbench } from '../support/workbench.ts'
import { AGENT_NAME, STATUS_ITEM, type WindowContext } from './context.ts'

export const realProductTests = (context: () => WindowContext): void => {
  const open = new AsyncDisposableStack()
  let window: Workbench
  let stage: Stage

  const item = () => window.statusItem(STATUS_ITEM)
  const picture = (name: string) => window.picture(`${context().lane}-${name}`)

  beforeAll(async () => {
    const { stageFolder, folder } = context()
    window = context().window
    stage = open.use(await openStage({ directory: stageFolder, product: 'acme' }))
    await stage.init()
    await stage.publish(await makeSmallBuild(join(folder, 'build-1')), '1.0.0')
    await stage.startOrigin({ renew: false })
  }, 180_000)

  afterAll(() => open.disposeAsync())

  test('a release that the agent installs appears with its version, its source and who signed it', async () => {
    const agent = await stage.agent(AGENT_NAME)
    await agent.start()
    await window.row('acme, Trusted, 1.0.0').click()
    await window.row('Installed, 1.0.0, the newest').waitFor()
    await window.row('Trusted, 1 signature, 1 needed').waitFor()
    await window.row('Source, demo, channel stable').waitFor()
    await picture('real-product')
  })

  test('the next release is followed by itself', async () => {
    await stage.publish(await makeSmallBuild(join(context().folder, 'build-2'), 2), '1.1.0')
    await window.row('acme, Trusted, 1.1.0').waitFor()
  })

  test('a signature that does not hold blocks updates, and what is installed stays', async () => {
    await spoilSignature(join(stage.repository, 'metadata/timestamp.json'))
    await window.runCommand('Updraft: Check for Updates')
    await window.row('acme, Not trusted').waitFor()
    await window.row('Installed, 1.1.0').waitFor()
    await window.row('Metadata is not signed as the trusted root demands').waitFor()
    expect(await item().getAttribute('aria-label')).toBe('Updraft: an update of acme was blocked')
    expect(await item().getAttribute('class')).toMatch(/\berror-kind\b/)
    await picture('real-tampering')
  })
}

/** Changes one digit of the first signature; everything else of the file stays valid. */
const spoilSignature = async (path: string): Promise<void> => {
  const metadata = JSON.parse(await readFile(path, 'utf8')) as { signatures: { sig: string }[] }
  for (const signature of metadata.signatures) {
    signature.sig = (signature.sig.startsWith('0') ? '1' : '0') + signature.sig.slice(1)
  }
  await writeFile(path, JSON.stringify(metadata))
}
