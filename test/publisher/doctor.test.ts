// What `doctor` says of a repository: that of a sound one, and each fault that it is there for, made for real.

import { once } from 'node:events'
import { copyFile, mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { parseProduct } from '@updraft/core/names'
import { applyChange } from '../../publisher/src/apply-change.ts'
import type { Check } from '../../publisher/src/doctor/diagnosis.ts'
import { type DoctorOptions, examine } from '../../publisher/src/doctor.ts'
import { makeAuthority } from '../../publisher/src/keys/authority.ts'
import { listKeys } from '../../publisher/src/keys/key-folder.ts'
import { renewOnlineRoles } from '../../publisher/src/renew.ts'
import { openRepository, type Repository } from '../../publisher/src/repository.ts'
import { parseRepositorySettings } from '../../publisher/src/repository-settings.ts'
import { identityChange } from '../../publisher/src/sign/identities.ts'
import { runToEnd } from '../support/programs.ts'
import { release } from './release.ts'
import { hoursAfter, NOW, openRepositoryWorkspace, type Workspace, writeTree } from './workspace.ts'

const PROGRAM = join(import.meta.dirname, '../../publisher/bin/updraft-publisher.mjs')

const look = (workspace: Workspace, options: Partial<DoctorOptions> = {}): Promise<readonly Check[]> =>
  examine(workspace.repository, {
    now: hoursAfter(NOW, 1),
    keysDirectory: workspace.keysDirectory,
    network: false,
    deep: false,
    signal: AbortSignal.timeout(60_000),
    ...options,
  })

const faultsOf = (checks: readonly Check[], code: string): readonly Check[] =>
  checks.filter((check) => check.code === code && check.level !== 'ok')

/** With two releases, so that there are patches. */
const openPublished = async (): Promise<Workspace> => {
  const workspace = await openRepositoryWorkspace()
  await release(workspace, { version: '1.0.0' })
  await writeTree(workspace.build, { 'more.txt': 'something new\n'.repeat(500) })
  await release(workspace, { version: '1.1.0' })
  return workspace
}

describe('without the network', () => {
  test('a new repository has no error; that one person can sign alone, and where keys lie, are warnings', async () => {
    await using workspace = await openPublished()
    const checks = await look(workspace, { deep: true })
    expect(checks.filter(({ level }) => level === 'error')).toEqual([])
    expect(faultsOf(checks, 'threshold')).toMatchObject([
      { detail: 'one key is enough to sign as root, targets, acme' },
    ])
    expect(faultsOf(checks, 'keys').map(({ detail }) => detail.replace(/-[0-9a-f]{8}/, ''))).toEqual(
      expect.arrayContaining([
        'root.pem is not encrypted',
        'root.pem lies on this machine',
        'acme.pem is not encrypted',
      ]),
    )
    expect(faultsOf(checks, 'other-clients')).toEqual([])
    expect(await look(workspace, { keysDirectory: join(workspace.directory, 'none') })).toContainEqual(
      expect.objectContaining({ code: 'keys', level: 'ok' }),
    )
  })

  test('certificates that expire soon are a warning, those that have are an error', async () => {
    await using workspace = await openRepositoryWorkspace()
    const { keys, keysDirectory, repository } = workspace
    const key = (await listKeys(keysDirectory)).find(({ name }) => name === 'acme')
    if (key?.publicKey === undefined) throw new Error('no key of acme')
    const named = { name: 'acme', publicKey: key.publicKey, chain: [] }
    const request = { subject: 'CN=Acme', days: 60 }
    const { certificate } = await makeAuthority(named, request, { directory: keysDirectory, keys, now: NOW })
    const identity = { chains: [{ file: 'acme.crt', certificates: [certificate] }], revocationLists: [], remove: false }
    const change = (it: Repository) => identityChange(it, parseProduct('acme'), identity, NOW)
    await applyChange(repository, change, { keys, now: NOW })
    const at = async (days: number) =>
      faultsOf(await look(workspace, { now: hoursAfter(NOW, days * 24) }), 'certificates')
    expect(await at(1)).toEqual([])
    expect(await at(40)).toMatchObject([{ level: 'warning', detail: expect.stringContaining('of Acme expires at') }])
    expect(await at(61)).toMatchObject([{ level: 'error', detail: expect.stringContaining('of Acme expired at') }])
  })

  test('what expires soon is a warning, what has expired an error, each with the command that mends it', async () => {
    await using workspace = await openPublished()
    const soon = faultsOf(await look(workspace, { now: hoursAfter(NOW, 20) }), 'expiry')
    expect(soon).toMatchObject([{ level: 'warning', hint: expect.stringContaining('renew') }])
    const late = faultsOf(await look(workspace, { now: hoursAfter(NOW, 24 * 400) }), 'expiry')
    expect(late.map(({ level }) => level)).toEqual(['error', 'error', 'error', 'error', 'error'])
  })

  test('every signed file that is missing or torn is named; altered bytes only by a deep look', async () => {
    await using workspace = await openPublished()
    const { releases } = await openRepository(workspace.repository)
    const [older, newer] = releases
    if (older === undefined || newer === undefined) throw new Error('there are no two releases')
    await rm(newer.metainfo.file)
    await truncate(join(newer.bundleDirectory, 'index'), 3)
    await rm(join(newer.torrents[1]?.directory ?? '', 'patch'))
    const pack = join(older.bundleDirectory, 'pack')
    const altered = await readFile(pack)
    altered[0] = (altered[0] ?? 0) ^ 1
    await writeFile(pack, altered)

    const faults = faultsOf(await look(workspace), 'bytes')
    expect(faults.map(({ path }) => path)).toEqual([
      newer.metainfo.file,
      join(newer.bundleDirectory, 'index'),
      join(newer.torrents[1]?.directory ?? '', 'patch'),
    ])
    expect(faults[1]?.detail).toMatch(/has 3 bytes, signed are \d+/)
    const deep = faultsOf(await look(workspace, { deep: true }), 'bytes').map(({ path }) => path)
    expect(deep).toContain(older.bundleDirectory)
  })

  test('a key of the timestamp that signs as a product too, and a killed command, are told', async () => {
    await using workspace = await openPublished()
    await mkdir(join(workspace.repository, '.staging'))
    const repository = await openRepository(workspace.repository)
    expect(faultsOf(await look(workspace), 'leftovers')).toHaveLength(1)
    const [timestamp] = repository.roles.filter(({ role }) => role === 'timestamp')
    const roles = repository.roles.map((state) =>
      state.role === 'acme' ? { ...state, keyIds: timestamp?.keyIds ?? [] } : state,
    )
    const { diagnose } = await import('../../publisher/src/doctor/diagnosis.ts')
    const facts = { keyFiles: [], missing: [], filesChecked: 0, leftovers: [], sources: undefined, trackers: undefined }
    const checks = diagnose({ ...facts, now: NOW, repository: { ...repository, roles } })
    expect(faultsOf(checks, 'key-shared')).toMatchObject([{ level: 'error', detail: expect.stringContaining('acme') }])
  })

  test('a repository that does not open is one error', async () => {
    await using workspace = await openPublished()
    await rm(join(workspace.repository, 'metadata/1.root.json'))
    expect(await look(workspace)).toMatchObject([{ code: 'repository', level: 'error' }])
  })
})

describe('with the network', () => {
  const serving = async (folder: () => string): Promise<Server> => {
    const server = createServer(async (request, response) => {
      try {
        const { pathname } = new URL(request.url ?? '/', 'http://localhost')
        if (pathname === '/announce') response.end('d8:intervali60e5:peers0:e')
        else response.end(await readFile(join(folder(), pathname)))
      } catch {
        response.writeHead(404).end()
      }
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return server
  }

  test('the address and trackers are asked: as it should be, lagging behind, altered, gone', async () => {
    let folder = ''
    const server = await serving(() => folder)
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
    try {
      const gone = 'http://127.0.0.1:9/announce'
      const settings = parseRepositorySettings({ url, trackers: [gone] }, 'a test')
      await using workspace = await openRepositoryWorkspace({ settings })
      folder = workspace.repository
      await release(workspace, { version: '1.0.0' })
      const sound = await look(workspace, { network: true })
      expect(faultsOf(sound, 'source')).toEqual([])
      expect(faultsOf(sound, 'tracker')).toMatchObject([{ detail: expect.stringContaining(gone) }])

      const copy = join(workspace.directory, 'mirror')
      await mkdir(join(copy, 'metadata'), { recursive: true })
      const timestamp = join(copy, 'metadata/timestamp.json')
      await copyFile(join(workspace.repository, 'metadata/timestamp.json'), timestamp)
      await renewOnlineRoles(workspace.repository, { keys: workspace.keys, now: hoursAfter(NOW, 20) })
      folder = copy
      const behind = faultsOf(await look(workspace, { network: true }), 'source')
      expect(behind).toMatchObject([{ level: 'error', detail: expect.stringContaining('lags behind') }])
      await writeFile(timestamp, 'not even JSON')
      expect(faultsOf(await look(workspace, { network: true }), 'source')[0]?.detail).toContain('something else')
    } finally {
      server.closeAllConnections()
      server.close()
    }
  })
})

test('the program: text, JSON, SARIF and the exit code', async () => {
  await using workspace = await openPublished()
  const args = ['doctor', workspace.repository, '--no-network']
  const shown = await runToEnd(PROGRAM, args) // By today's clock, so that what has expired by now is not known here.
  const { healthy, checks } = JSON.parse((await runToEnd(PROGRAM, [...args, '--json'])).stdout)
  expect(shown.code).toBe(healthy ? 0 : 6)
  expect(shown.stdout.split('\n').filter((line) => /^(ok|warning|ERROR) /.test(line))).toHaveLength(checks.length)
  const sarif = JSON.parse((await runToEnd(PROGRAM, [...args, '--sarif'])).stdout)
  const faults = checks.filter(({ level }: Check) => level !== 'ok')
  expect(sarif.runs[0].results.map(({ ruleId }: { ruleId: string }) => ruleId)).toEqual(
    faults.map(({ code }: Check) => code),
  )
  await rm(join(workspace.repository, 'metadata'), { recursive: true })
  expect((await runToEnd(PROGRAM, args)).code).toBe(3)
  expect((await runToEnd(PROGRAM, [...args, '--json', '--sarif'])).code).toBe(2)
})
