// The role `urgent` from its first key to its last: made by init or later, signed by one, by several or in a ceremony, rotated,
// exported, and looked at. That agents honour it and nothing else is for test/agent/refresh-urgent and test/attack/keys.
import { cp, mkdir, readdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { parseProduct } from '@updraft/core/names'
import { yank } from '../../publisher/src/amend/yank.ts'
import { amend } from '../../publisher/src/amend.ts'
import { declareUrgent } from '../../publisher/src/declare-urgent.ts'
import { examine } from '../../publisher/src/doctor.ts'
import { makeAuthority } from '../../publisher/src/keys/authority.ts'
import { listKeys } from '../../publisher/src/keys/key-folder.ts'
import { renewRoles } from '../../publisher/src/renew.ts'
import { parseWanted } from '../../publisher/src/repository/find-release.ts'
import { openRepository } from '../../publisher/src/repository.ts'
import { rotate, rotation } from '../../publisher/src/rotate.ts'
import { entriesOf, exportedFrom } from '../support/importing.ts'
import { publisherJson, runPublisher } from './program.ts'
import { release } from './release.ts'
import {
  fingerprintTree,
  hoursAfter,
  NOW,
  openRepositoryWorkspace,
  openWorkspace,
  type Workspace,
  writeTree,
} from './workspace.ts'

const LATER = hoursAfter(NOW, 1)

const wanted = ({ repository }: Workspace, version: string, undo = false) => ({
  repository,
  ...parseWanted('acme', version, undefined),
  undo,
})

const declaring = (workspace: Workspace, version: string, undo = false) =>
  declareUrgent(wanted(workspace, version, undo), { keys: workspace.keys, now: LATER })

const openWithRole = async (): Promise<Workspace> => {
  const workspace = await openRepositoryWorkspace({ urgentKeys: 1 })
  await release(workspace, { version: '1.0.0' })
  await release(workspace, { version: '1.0.0', platform: 'linux-x64' })
  await writeTree(workspace.build, { 'more.txt': 'more' })
  await release(workspace, { version: '1.1.0' })
  return workspace
}

const urgentNow = async ({ repository }: Workspace): Promise<readonly string[]> =>
  (await openRepository(repository)).releases.flatMap(({ release: { version, platform }, urgentBy }) =>
    urgentBy === undefined ? [] : [`${version} ${platform} by ${urgentBy}`],
  )

/** The key files of the role are elsewhere, as they should be. */
const takeKeysAway = async ({ keysDirectory, directory }: Workspace, role = 'urgent'): Promise<string> => {
  const elsewhere = join(directory, `${role}-pc`)
  await mkdir(elsewhere)
  for (const file of (await readdir(keysDirectory)).filter((name) => name.startsWith(`${role}-`))) {
    await cp(join(keysDirectory, file), join(elsewhere, file))
    await rm(join(keysDirectory, file))
  }
  return elsewhere
}

test('is signed by the role alone: nothing of the product is signed anew, and no byte moves', async () => {
  await using workspace = await openWithRole()
  const before = await fingerprintTree(workspace.repository)
  expect(await declaring(workspace, '1.0.0')).toMatchObject({
    changed: true,
    signedAs: 'urgent',
    releases: [{ urgent: true, urgentBy: 'urgent' }, { urgent: true }],
    metadataVersions: { acme: 4, urgent: 2 },
  })
  expect(await urgentNow(workspace)).toEqual(['1.0.0 any by urgent', '1.0.0 linux-x64 by urgent'])
  const after = await fingerprintTree(workspace.repository)
  const changed = Object.keys(after).filter((name) => before[name] !== after[name])
  expect(changed.map((name) => name.replace(/\d+/, 'N')).sort()).toEqual([
    'metadata/N.snapshot.json',
    'metadata/N.urgent.json',
    'metadata/timestamp.json',
  ])
  expect(await declaring(workspace, '1.0.0')).toMatchObject({ changed: false, metadataVersions: { urgent: 2 } })
})

test('is taken back, kept by renewals, and forgotten of what was yanked', async () => {
  await using workspace = await openWithRole()
  const { repository, keys } = workspace
  await declaring(workspace, '1.0.0')
  await declaring(workspace, '1.1.0')
  await renewRoles(repository, ['urgent', 'targets', 'acme'], { keys, now: LATER })
  expect(await urgentNow(workspace)).toHaveLength(3)
  expect(await declaring(workspace, '1.1.0', true)).toMatchObject({ changed: true, releases: [{ platform: 'any' }] })
  expect(await urgentNow(workspace)).toEqual(['1.0.0 any by urgent', '1.0.0 linux-x64 by urgent'])
  const yanked = parseWanted('acme', '1.0.0', undefined)
  await amend({ repository, ...yanked }, yank({ reason: 'broken', goTo: undefined }, LATER), { keys, now: LATER })
  await expect(declaring(workspace, '1.0.0')).rejects.toMatchObject({ code: 'RELEASE_YANKED' })
  await declaring(workspace, '1.1.0')
  expect(await urgentNow(workspace)).toEqual(['1.1.0 any by urgent'])
})

test('a repository without the role lets the product say it, until the role is added: then that counts no more', async () => {
  await using workspace = await openRepositoryWorkspace()
  await release(workspace, { version: '1.0.0' })
  const { repository, keys, keysDirectory } = workspace
  expect(await declaring(workspace, '1.0.0')).toMatchObject({ signedAs: 'acme', releases: [{ urgentBy: 'acme' }] })
  expect(await declaring(workspace, '1.0.0', true)).toMatchObject({ changed: true, releases: [{ platform: 'any' }] })
  await declaring(workspace, '1.0.0')

  const nobody = { role: 'urgent', add: [], remove: [] }
  await expect(rotate(repository, (it) => rotation(it, nobody), { keys, now: LATER })).rejects.toMatchObject({
    code: 'USAGE',
    message: 'the role urgent would have 0 keys, and 1 would have to sign',
  })
  const replace = { directory: keysDirectory, passphrase: undefined, type: 'ed25519' as const }
  const added = await rotate(repository, (it) => rotation(it, { ...nobody, remove: 'all', threshold: 2 }), {
    keys,
    now: LATER,
    replace,
  })
  expect(added).toMatchObject({
    roles: [{ role: 'urgent', threshold: 2 }],
    made: [{ role: 'urgent' }, { role: 'urgent' }],
  })
  expect(await urgentNow(workspace)).toEqual([])
  await declaring(workspace, '1.0.0')
  expect(await urgentNow(workspace)).toEqual(['1.0.0 any by urgent'])

  const again = await rotate(repository, (it) => rotation(it, { ...nobody, remove: 'all' }), {
    keys,
    now: LATER,
    replace,
  })
  expect(again.roles[0]?.removed).toHaveLength(2)
  expect(await urgentNow(workspace)).toEqual(['1.0.0 any by urgent'])
})

test('the keys of the product are not enough, and nothing is written', async () => {
  await using workspace = await openWithRole()
  await takeKeysAway(workspace)
  const before = await fingerprintTree(workspace.repository)
  await expect(declaring(workspace, '1.1.0')).rejects.toMatchObject({
    code: 'KEY_MISSING',
    message: expect.stringMatching(/role urgent needs 1/),
  })
  expect(await fingerprintTree(workspace.repository)).toEqual(before)
})

test('an exported file carries the word of the role', async () => {
  await using workspace = await openWithRole()
  await declaring(workspace, '1.1.0')
  await exportedFrom(workspace)
  const names = (await entriesOf(join(workspace.directory, 'exported.tar'))).map(({ name }) => name)
  expect(names.filter((name) => name.endsWith('.urgent.json'))).toEqual(['metadata/2.urgent.json'])
})

test('who holds its keys is signed as for a product', async () => {
  await using workspace = await openRepositoryWorkspace({ urgentKeys: 1 })
  const { directory, keysDirectory, keys } = workspace
  const key = (await listKeys(keysDirectory)).find(({ name }) => name === 'urgent')
  if (key?.publicKey === undefined) throw new Error('no key of urgent')
  const named = { name: 'urgent', publicKey: key.publicKey, chain: [] }
  await makeAuthority(
    named,
    { subject: 'CN=Acme Security', days: 60 },
    { directory: keysDirectory, keys, now: new Date() },
  )
  const [certificate = ''] = (await readdir(keysDirectory)).filter((name) => /^urgent-.*\.crt$/.test(name))
  const said = ['--certificate', join('r.keys', certificate), '--repo', 'r']
  const signed = await publisherJson<{ signed: string[] }>(directory, ['identity', 'urgent', ...said])
  expect(signed.signed).toEqual(['targets', 'snapshot', 'timestamp'])
})

describe('doctor', () => {
  const urgentChecks = async ({ repository, keysDirectory }: Workspace, now = LATER) => {
    const options = { now, keysDirectory, network: false, deep: false, signal: AbortSignal.timeout(60_000) }
    return (await examine(repository, options)).filter(
      ({ code, detail }) => code === 'urgent' || (code === 'expiry' && detail.includes('urgent')),
    )
  }

  test('warns where a product has the word, also by sharing its keys, and of a list that expires', async () => {
    await using workspace = await openRepositoryWorkspace()
    const { repository, keys, keysDirectory } = workspace
    expect(await urgentChecks(workspace)).toMatchObject([
      { level: 'warning', detail: expect.stringMatching(/keys of each product/) },
    ])
    const [own = ''] = (await readdir(keysDirectory)).filter((name) => /^acme-.*\.pub$/.test(name))
    await publisherJson(workspace.directory, ['rotate', 'urgent', '--repo', 'r', '--add-key', join(keysDirectory, own)])
    expect(await urgentChecks(workspace)).toMatchObject([
      { level: 'warning', detail: expect.stringMatching(/^keys of acme are enough/) },
    ])
    const replace = { directory: keysDirectory, passphrase: undefined, type: 'ed25519' as const }
    const all = { role: 'urgent', add: [], remove: 'all' } as const
    await rotate(repository, (it) => rotation(it, all), { keys, now: LATER, replace })
    expect(await urgentChecks(workspace)).toEqual([
      { code: 'urgent', level: 'ok', detail: '1 of 1 key of their own', hint: '' },
    ])
    const expired = await urgentChecks(workspace, hoursAfter(LATER, 24 * 366))
    expect(expired).toContainEqual(
      expect.objectContaining({
        level: 'error',
        detail: expect.stringMatching(/so machines take no release for urgent$/),
      }),
    )
  })
})

describe('the program', () => {
  test('init makes the role, urgent signs with it, list and show say so, and urgent is no name of a product', async () => {
    await using workspace = await openWorkspace()
    const { directory, build } = workspace
    await writeTree(build, { 'bin/acme': 'the program' })
    const many = ['--urgent-keys', '2', '--urgent-threshold', '2', '--no-passphrase']
    const { keys } = await publisherJson<{ keys: { role: string }[] }>(directory, [
      'init',
      'r',
      '--product',
      'acme',
      ...many,
    ])
    expect(keys.filter(({ role }) => role === 'urgent')).toHaveLength(2)
    await publisherJson(directory, ['publish', build, '--repo', 'r', '--product', 'acme', '--version', '1.0.0'])

    const said = await runPublisher(directory, ['urgent', 'acme', '1.0.0', '--repo', 'r'])
    expect(said).toMatchObject({ code: 0, stderr: '' })
    expect(said.stdout).toMatch(
      /^acme 1\.0\.0: signed anew\n {2}any .*; urgent\n {2}metadata +urgent 2, snapshot 3, timestamp 3\n$/,
    )
    const listed = await publisherJson<object[]>(directory, ['list', '--repo', 'r'])
    expect(listed).toMatchObject([{ urgent: true, urgentBy: 'urgent' }])
    expect((await runPublisher(directory, ['show', 'acme', '1.0.0', '--repo', 'r'])).stdout).toMatch(
      /offered .*; urgent\n/,
    )
    const undone = await publisherJson(directory, ['urgent', 'acme', '1.0.0', '--undo', '--repo', 'r'])
    expect(undone).toMatchObject({ changed: true, signedAs: 'urgent' })

    const refused = await runPublisher(directory, ['product', 'add', 'urgent', '--repo', 'r', '--no-passphrase'])
    expect(refused.stderr).toContain('product name "urgent" is not allowed')
    const [key = ''] = (await readdir(workspace.keysDirectory)).filter((name) => /^urgent-.*\.pem$/.test(name))
    const id = basename(key, '.pem').slice('urgent-'.length)
    const revoked = await publisherJson<{ roles: object[] }>(directory, [
      'revoke',
      id,
      '--repo',
      'r',
      '--no-passphrase',
    ])
    expect(revoked.roles).toMatchObject([{ role: 'urgent', threshold: 2 }])
  })

  test('a ceremony adds the role, and another one calls a release urgent, each with words for it', async () => {
    await using workspace = await openRepositoryWorkspace()
    const { directory } = workspace
    await renewRoles(workspace.repository, ['root', 'targets', 'acme'], { keys: workspace.keys, now: new Date() })
    await release(workspace, { version: '1.0.0' }, { now: new Date() })
    await publisherJson(directory, ['keys', 'generate', 'security', '--keys', 'security-pc', '--no-passphrase'])
    const [pub = ''] = (await readdir(join(directory, 'security-pc'))).filter((name) => name.endsWith('.pub'))
    const prepare = (...change: string[]) =>
      runPublisher(directory, ['sign', 'prepare', ...change, '--repo', 'r', '--out', 'c.json'])
    const add = (keys: string) => {
      const fingerprint = ['--fingerprint', print]
      return publisherJson(directory, ['sign', 'add', 'c.json', '--keys', keys, '--yes', ...fingerprint])
    }
    const { fingerprint: print } = await openRepository(workspace.repository)

    const prepared = await prepare('rotate', 'urgent', '--add-key', join('security-pc', pub))
    expect(prepared.stdout).toMatch(
      /! a new role urgent, which lets machines have releases at once, signed by 1 of [0-9a-f]{8}/,
    )
    await add('r.keys')
    expect(await add('security-pc')).toMatchObject({ signed: [{ role: 'urgent' }], complete: true })
    await publisherJson(directory, ['sign', 'finish', 'c.json', '--repo', 'r'])

    const word = await prepare('urgent', 'acme', '1.0.0')
    expect(word.stdout).toMatch(/! machines may have acme 1\.0\.0 \(any\), index [0-9a-f]{16}… at once/)
    expect(word.stdout).not.toContain('no words for')
    expect((await runPublisher(directory, ['sign', 'finish', 'c.json', '--repo', 'r'])).stderr).toContain(
      'urgent has 0 of 1',
    )
    await add('security-pc')
    await publisherJson(directory, ['sign', 'finish', 'c.json', '--repo', 'r'])
    expect(await urgentNow(workspace)).toEqual(['1.0.0 any by urgent'])
    expect((await prepare('urgent', 'acme', '1.0.0')).stderr).toContain('that is signed already')
    expect((await prepare('urgent', 'acme', '1.0.0', '--undo')).stdout).toContain('machines wait again for acme 1.0.0')
  })
})

test('a product is not named like the role', () => {
  expect(() => parseProduct('urgent')).toThrow(/not allowed/)
})
