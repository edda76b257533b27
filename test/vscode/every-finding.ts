// Everything that an agent can find wrong and that the story of the real product has not shown yet, all at once: one real
// agent, sources that are wrong, and what a person sees of each in the view of trust.
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect } from '@jest/globals'
import { controlClient } from '@updraft/core/control/client'
import { parseMetainfo } from '@updraft/core/swarm/metainfo'
import { FINDINGS } from '@updraft/core/trust/finding'
import { nameOfFinding } from '../../extension/src/finding-names.ts'
import { startProgram } from '../../scripts/demo/program.ts'
import { type HostilePeer, openHostilePeer, wrongBlock } from '../core/swarm/hostile-peer.ts'
import { story } from '../support/story.ts'
import type { ShownRow, Workbench } from '../support/workbench.ts'
import { STATUS_ITEM, type WindowContext } from './context.ts'
import { type HostileWorld, openHostileWorld, WELL_AT_FIRST, WRONG_IN } from './hostile-world.ts'

export const everyFindingTests = (context: () => WindowContext): void => {
  const open = new AsyncDisposableStack()
  let window: Workbench
  let world: HostileWorld
  let home: string
  let poisoner: HostilePeer
  const picture = (name: string) => window.picture(`${context().lane}-${name}`)
  const step = story(() => picture('failed'))
  const client = () => controlClient(join(home, 'agent.sock'))
  const productOf = async (name: string) => (await client().status()).products.find((product) => product.name === name)

  beforeAll(async () => {
    window = context().window
    const folder = join(context().folder, 'w')
    home = join(folder, 'h')
    await mkdir(folder)
    world = open.use(await openHostileWorld(folder, home))
    const metainfo = parseMetainfo(world.poisonedMetainfo)
    poisoner = await openHostilePeer({ metainfo, serve: (_index, _offset, length) => wrongBlock(length) })
    await world.subscribe([poisoner.endpoint])
    const environment = { UPDRAFT_HOME: home }
    const isReady = () =>
      client()
        .status()
        .then(Boolean, () => false)
    const agent = await startProgram('updraft-agent', ['run'], { environment, isReady })
    open.defer(() => agent.stop())
    await context().server.writeMachineSettings({ 'updraft.socketPath': join(home, 'agent.sock') })
    await untilNone(async () => {
      const { products } = await client().status()
      return WELL_AT_FIRST.filter(
        (name) => products.find((product) => product.name === name)?.installed?.version !== '1.0.0',
      )
    })
    await world.turn()
    await client().check()
  }, 200_000)

  afterAll(async () => {
    await context().server.writeMachineSettings({})
    await open.disposeAsync()
  }, 60_000)

  step(
    'each is found by a real agent',
    async () => {
      await untilNone(async () => {
        const { products } = await client().status()
        return Object.entries(WRONG_IN).flatMap(([name, code]) => {
          const product = products.find((one) => one.name === name)
          return product?.trust.findings.some((found) => found.code === code) === true ? [] : [JSON.stringify(product)]
        })
      })
      expect(poisoner.sentBytes).toBeGreaterThan(0)
      const banned = (await productOf('poisoned'))?.trust.findings.find(({ code }) => code === 'peer-banned')
      expect(banned?.message).toMatch(/^bad data came from address 127\./)
    },
    200_000,
  )

  step('each stands in the view of trust: what happened, what the agent did, what to do', async () => {
    await window.openContainer('Updraft')
    await window.row('taken-over').first().waitFor()
    await window.runCommand('Updraft: Focus on Trust View')
    const { products } = await client().status()
    const rows = await window.allRows('Trust')
    for (const [name, code] of Object.entries(WRONG_IN)) {
      const found = products.find((product) => product.name === name)?.trust.findings.find((one) => one.code === code)
      const place = rows.findIndex((row) => isTitle(row, nameOfFinding(code), name))
      if (place === -1) throw new Error(`${code} is not shown:\n${rows.map(({ label }) => label).join('\n')}`)
      // What is only to be known stays closed.
      if (FINDINGS[code].severity === 'info') continue
      const [title, happened, did, todo, message] = rows.slice(place, place + 5)
      expect([happened, did, todo, message].map((row) => row?.level)).toEqual(Array(4).fill((title?.level ?? 0) + 1))
      expect(happened?.label.length).toBeGreaterThan(60)
      expect(message?.label.toLowerCase()).toContain((found?.message ?? '?').slice(0, 60).toLowerCase())
      expect(did?.label).toMatch(/agent/)
      expect(todo?.label.length).toBeGreaterThan(20)
    }
    await picture('every-finding')
  })

  step('what is installed runs on in each case, and nothing wrong was installed', async () => {
    for (const [name, code] of Object.entries(WRONG_IN)) {
      const installed = (await productOf(name))?.installed?.version
      const isWell = WELL_AT_FIRST.some((one) => one === name) || FINDINGS[code].severity === 'info'
      expect([name, installed]).toEqual([name, isWell ? '1.0.0' : undefined])
    }
    const classes = await window.statusItem(STATUS_ITEM).getAttribute('class')
    expect(classes).toContain('error-kind')
  })

  step('a new signer is let in by a person who has read who it is, and by nothing less', async () => {
    const question = window.dialog.getByText('Approve taken-over 1.1.0, although its signer is new?')
    await window.runCommand('Updraft: Approve Update')
    await question.waitFor()
    await window.dialog.getByText(/Acme Releases .* now it is Mallory/).waitFor()
    await picture('new-signer')
    await window.page.keyboard.press('Escape')
    await question.waitFor({ state: 'detached' })
    expect((await productOf('taken-over'))?.installed?.version).toBe('1.0.0')

    await window.runCommand('Updraft: Approve Update')
    await window.dialog.getByRole('button', { name: 'Approve the New Signer' }).click()
    await untilNone(async () => {
      const product = await productOf('taken-over')
      return product?.installed?.version === '1.1.0' ? [] : [JSON.stringify(product)]
    })
  })
}

const isTitle = ({ label }: ShownRow, title: string, product: string): boolean =>
  label.startsWith(`${product}: ${title}`)

const WAIT_MS = 150_000

/** Twelve products on a busy machine take longer than a screen does. What is missing is the reason. */
const untilNone = async (missing: () => Promise<readonly string[]>): Promise<void> => {
  const deadline = Date.now() + WAIT_MS
  for (;;) {
    const left = await missing()
    if (left.length === 0) return
    if (Date.now() > deadline) throw new Error(`still missing: ${left.join('\n')}`)
    await delay(100)
  }
}
