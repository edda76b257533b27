// An exported file says what is urgent, as a server does: with real metadata from the publisher, and a real agent.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals'
import { openStore } from '@updraft/agent/store'
import { parseReleaseVersion } from '@updraft/core/names'
import { declareUrgent } from '../../publisher/src/declare-urgent.ts'
import { release } from '../publisher/release.ts'
import { NOW, openRepositoryWorkspace, type Workspace } from '../publisher/workspace.ts'
import { archiveOf } from '../support/archives.ts'
import type { TemporaryHome } from '../support/fake-agent-parts.ts'
import { ACME, entriesOf, exportedFrom, importing, trustingHome } from '../support/importing.ts'

let workspace: Workspace
let calm: Buffer
let urgent: Buffer
let home: TemporaryHome

beforeAll(async () => {
  workspace = await openRepositoryWorkspace({ urgentKeys: 1 })
  const { repository, keys } = workspace
  await release(workspace, { version: '1.0.0' })
  calm = await exportedFrom(workspace)
  const version = parseReleaseVersion('1.0.0')
  await declareUrgent({ repository, product: ACME, version, undo: false }, { keys, now: NOW })
  urgent = await exportedFrom(workspace)
})
afterAll(async () => await workspace[Symbol.asyncDispose]())

beforeEach(async () => {
  home = await trustingHome(workspace)
  const settings = { products: { acme: { source: 'main', minimumAgeHours: 48 } } }
  await writeFile(join(home.configDirectory, 'agent.json'), JSON.stringify(settings))
})
afterEach(() => home[Symbol.dispose]())

const now = () => {
  using store = openStore(home.stateDirectory)
  return {
    installed: store.installed.current(ACME)?.version,
    findings: store.findings.open(ACME).map(({ code }) => code),
  }
}

test('a release that nobody calls urgent waits for its age; one that the role calls so is installed', async () => {
  expect(await importing(home, calm)).toBeUndefined()
  expect(now()).toEqual({ installed: undefined, findings: [] })
  expect(await importing(home, urgent)).toBeUndefined()
  expect(now()).toEqual({ installed: '1.0.0', findings: [] })
})

test('a file from which the word of the role was taken: the release waits, and why is told', async () => {
  const entries = await entriesOf(join(workspace.directory, 'exported.tar'))
  const without = archiveOf(entries.filter(({ name }) => !name.endsWith('.urgent.json')))
  expect(without.length).toBeLessThan(urgent.length)
  expect(await importing(home, without)).toBeUndefined()
  expect(now()).toEqual({ installed: undefined, findings: ['urgent-unknown'] })
})

test('a file with the word of the role in two versions is none of ours', async () => {
  const entries = await entriesOf(join(workspace.directory, 'exported.tar'))
  const [word] = entries.filter(({ name }) => name === 'metadata/2.urgent.json')
  if (word === undefined) throw new Error('the export has no word of the role')
  const twice = archiveOf([{ ...word, name: 'metadata/1.urgent.json' }, ...entries])
  expect(await importing(home, twice)).toMatchObject({ code: 'EXPORT_INVALID' })
  expect(now()).toEqual({ installed: undefined, findings: [] })
})
