// An agent that ended while it probed a version: the next start probes again, keeps what is well, leaves what is not, and
// gives up on a version that no agent survives. The cycle itself, with real probes; its source is not needed for that.
import { chmodSync, existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { runCycle } from '@updraft/agent/cycle'
import type { CycleDependencies } from '@updraft/agent/cycle-types'
import { openReport } from '@updraft/agent/report'
import { type ProductSettings, parseSettings } from '@updraft/agent/settings'
import { openStore, type Store } from '@updraft/agent/store'
import { releaseOf, type TemporaryHome, temporaryHome } from '../support/fake-agent-parts.ts'

const settingsWith = (probe: object | undefined): ProductSettings =>
  parseSettings(JSON.stringify({ products: { acme: { source: 'main', probe } } }), 'agent.json')
    .products[0] as ProductSettings
const HEALTH = { command: ['health'], attempts: 1 }
const settings = settingsWith(HEALTH)
const ACME = settings.name

let home: TemporaryHome
let store: Store
let product: string

beforeEach(() => {
  home = temporaryHome()
  product = join(home.dataDirectory, 'products/acme')
  mkdirSync(home.stateDirectory)
  store = openStore(home.stateDirectory)
})
afterEach(() => {
  store[Symbol.dispose]()
  home[Symbol.dispose]()
})

const reportOf = (of = settings) => openReport({ product: of, store, now: () => new Date(), onWarning: () => {} })

/** 1.1.0 in place with its probe, and an agent that ended `times` while it ran. */
const interrupted = (script: string, times: number): void => {
  const tree = join(product, 'versions/1.1.0')
  mkdirSync(tree, { recursive: true })
  writeFileSync(join(tree, 'health'), `#!/bin/sh\n${script}\n`)
  chmodSync(join(tree, 'health'), 0o755)
  symlinkSync('versions/1.1.0', join(product, 'current'))
  const { report } = reportOf()
  report.entering(releaseOf(settings, '1.1.0'), 'activating')
  for (let time = 0; time < times; time += 1) report.entering(releaseOf(settings, '1.1.0'), 'probing')
}

/** One look of a new start; the code of what ended it. The source is not trusted, so a look that comes so far ends there. */
const look = async (product = settings, signal = new AbortController().signal): Promise<unknown> => {
  const { report, failed } = reportOf(product)
  const ofAgent = parseSettings('{}', 'agent.json')
  const dependencies = { home, settings: ofAgent, store, report, now: () => new Date(), signal }
  try {
    return await runCycle(product, dependencies as object as CycleDependencies)
  } catch (error) {
    if (!signal.aborted) failed(error)
    return (error as { code?: unknown }).code
  }
}

const states = () => store.journal.steps(ACME).map(({ state }) => state)
const isInstalled = () => existsSync(join(product, 'current'))

test('a version that is well is committed, and only then', async () => {
  interrupted('exit 0', 1)
  expect(store.installed.current(ACME)).toBeUndefined()
  expect(await look()).toBe('ROOT_UNKNOWN')
  expect(store.installed.current(ACME)?.version).toBe('1.1.0')
  expect(states()).toEqual(['activating', 'probing', 'probing', 'committed'])
})

test('a version that is not is left', async () => {
  interrupted('exit 1', 1)
  expect(await look()).toBe('PROBE_FAILED')
  expect(isInstalled()).toBe(false)
  expect(states().at(-1)).toBe('rolled-back')
  expect(store.badMarks.all(ACME)).toHaveLength(1)
})

test('killed before its probe began, it is probed as well', async () => {
  interrupted('exit 1', 0)
  expect(await look()).toBe('PROBE_FAILED')
  expect(isInstalled()).toBe(false)
})

test('after the third agent that ended over it, it is left without another try', async () => {
  interrupted(`touch ${join(home.root, 'ran')}`, 3)
  expect(await look()).toBe('PROBE_FAILED')
  expect(existsSync(join(home.root, 'ran'))).toBe(false)
  expect(isInstalled()).toBe(false)
  expect(store.badMarks.all(ACME)[0]?.problem.detail).toBe('the agent ended 3 times while it probed 1.1.0')
})

test('an agent that is stopped in good order does not count, however often', async () => {
  interrupted(`echo >> ${join(home.root, 'runs')}; sleep 600`, 0)
  const runs = () => (existsSync(join(home.root, 'runs')) ? readFileSync(join(home.root, 'runs')).length : 0)
  for (let time = 1; time <= 4; time += 1) {
    const stop = new AbortController()
    const looked = look(settings, stop.signal)
    while (runs() < time) await new Promise((resolve) => setTimeout(resolve, 5))
    stop.abort()
    await looked
    expect(store.journal.open(ACME)?.state).toBe('activating')
  }
  expect(isInstalled()).toBe(true)
  expect(store.installed.current(ACME)).toBeUndefined()
})

test('whose owner took the probe away is committed as it is', async () => {
  interrupted('exit 1', 1)
  await look(settingsWith(undefined))
  expect(store.installed.current(ACME)?.version).toBe('1.1.0')
})
