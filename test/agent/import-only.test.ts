// A machine whose source cannot be reached, by intention: nobody asks it, nothing complains, and what is carried there counts.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { runAgent } from '@updraft/agent/agent'
import { runCycle } from '@updraft/agent/cycle'
import { examine } from '@updraft/agent/doctor'
import { silentLog } from '@updraft/agent/log'
import { readOfflineStatus } from '@updraft/agent/offline-status'
import { textOfStatus } from '@updraft/agent/status-text'
import { describeSources } from '@updraft/agent/trust-store'
import { textOfWhy } from '@updraft/agent/why-text'
import { parseReleaseVersion } from '@updraft/core/names'
import { release } from '../publisher/release.ts'
import { hoursAfter, NOW, openRepositoryWorkspace, type Workspace, writeTree } from '../publisher/workspace.ts'
import { idleSwarm, type TemporaryHome } from '../support/fake-agent-parts.ts'
import { ACME, exportedFrom, importing, trustingHome } from '../support/importing.ts'

const MUCH_LATER = hoursAfter(NOW, 24 * 365 * 3)

let workspace: Workspace
let file: Buffer
let home: TemporaryHome

beforeAll(async () => {
  workspace = await openRepositoryWorkspace({ products: [ACME] })
  await writeTree(workspace.build, { 'text.txt': 'first' })
  await release(workspace, { version: '1.0.0' })
  file = await exportedFrom(workspace)
})
afterAll(async () => await workspace[Symbol.asyncDispose]())

beforeEach(async () => {
  home = await trustingHome(workspace)
})
afterEach(() => home[Symbol.dispose]())

const setImportOnly = (importOnly: boolean) =>
  writeFile(
    join(home.configDirectory, 'agent.json'),
    JSON.stringify({ importOnly, products: { acme: { source: 'main' } } }),
  )

/** One look at the source, at `now`: why it failed. */
const looking = async (now: Date): Promise<unknown> => {
  const failures = await runAgent({
    home,
    parts: { cycle: runCycle, openSwarm: async () => idleSwarm(), seedKept: async () => {}, describeSources },
    version: parseReleaseVersion('1.0.0'),
    once: true,
    log: silentLog,
    now: () => now,
    signal: new AbortController().signal,
  })
  return failures.get(ACME)
}

const statusNow = () => readOfflineStatus(home, { describeSources })

test('a source that cannot be reached is complained about, until the settings say that it is not asked', async () => {
  expect(await looking(NOW)).toMatchObject({ code: 'SOURCE_UNREACHABLE' })
  const before = await statusNow()
  expect(before.products[0]?.trust.findings.map(({ code }) => code)).toEqual(['source-unreachable'])
  expect(before.sources[0]?.lastCheck?.error?.code).toBe('SOURCE_UNREACHABLE')

  await setImportOnly(true)
  expect(await looking(NOW)).toBeUndefined()
  const { products, sources } = await statusNow()
  expect(products[0]?.trust).toMatchObject({ level: 'trusted', findings: [] })
  expect(sources[0]).toMatchObject({ importOnly: true })
  expect(sources[0]?.lastCheck?.error).toBeUndefined()
})

test('files are imported as ever; what has expired since is no failure, and is told', async () => {
  await setImportOnly(true)
  expect(await importing(home, file)).toBeUndefined()
  expect(await looking(MUCH_LATER)).toBeUndefined()
  const status = await statusNow()
  expect(status.products[0]).toMatchObject({
    installed: { version: '1.0.0' },
    trust: { level: 'trusted', findings: [] },
  })

  const text = textOfStatus({ ...status, agent: null }, MUCH_LATER)
  expect(text).toContain('by import only')
  const [product] = status.products
  if (product === undefined) throw new Error('no product')
  expect(textOfWhy({ running: true, product, source: status.sources[0] }, MUCH_LATER)).toContain(
    'when a file is imported: its source is not asked',
  )
  const checks = await examine({
    home,
    parts: { describeSources },
    now: MUCH_LATER,
    uid: process.getuid?.() ?? 0,
    signal: new AbortController().signal,
  })
  expect(checks.find(({ name }) => name === 'source main')).toMatchObject({
    level: 'ok',
    detail: expect.stringContaining('updates come by import only'),
    hint: expect.stringContaining('renewal'),
  })
})

test('a file that has expired is refused, and that is told', async () => {
  await setImportOnly(true)
  expect(await importing(home, file, MUCH_LATER)).toMatchObject({ code: 'METADATA_EXPIRED' })
  const { products } = await statusNow()
  expect(products[0]?.trust.findings.map(({ code }) => code)).toEqual(['metadata-expired'])
  expect(products[0]?.lastCheck?.error?.code).toBe('METADATA_EXPIRED')
})
