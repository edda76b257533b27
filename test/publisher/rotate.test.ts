// Other keys for every role, and rehearsals of losing one: who has to sign, what follows, and that an interruption at any step
// leaves a repository that opens or is completed by the next writer.
import { access, cp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { applyChange } from '../../publisher/src/apply-change.ts'
import { examine } from '../../publisher/src/doctor.ts'
import { drill } from '../../publisher/src/drill.ts'
import { createKeyFile, fileKeys } from '../../publisher/src/keys/key-file.ts'
import { renewOnlineRoles, renewRoles } from '../../publisher/src/renew.ts'
import { openRepository } from '../../publisher/src/repository.ts'
import { revocation, rotate, rotation } from '../../publisher/src/rotate.ts'
import { keyChange } from '../../publisher/src/sign/role-keys.ts'
import { runPublisher } from './program.ts'
import { release } from './release.ts'
import { fingerprintTree, hoursAfter, NOW, openRepositoryWorkspace, type Workspace } from './workspace.ts'

const ROLES = ['root', 'targets', 'snapshot', 'timestamp', 'acme'] as const

const stateOf = async ({ repository }: Workspace, role: string) => {
  const state = (await openRepository(repository)).roles.find((one) => one.role === role)
  if (state === undefined) throw new Error(`no role ${role}`)
  return state
}

const replace = ({ keysDirectory }: Workspace) =>
  ({ directory: keysDirectory, passphrase: undefined, type: 'ed25519' }) as const

const replaceAll = (workspace: Workspace, role: string) =>
  rotate(workspace.repository, (repository) => rotation(repository, { role, add: [], remove: 'all' }), {
    keys: workspace.keys,
    now: NOW,
    replace: replace(workspace),
  })

/** Key files of the role that is given up go too, so that nothing signs with them by accident. */
const forgetKey = async ({ keysDirectory }: Workspace, keyId: string): Promise<void> => {
  for (const file of await readdir(keysDirectory)) {
    if (file.includes(keyId.slice(0, 8))) await rm(join(keysDirectory, file))
  }
}

describe('rotating', () => {
  test.each(ROLES)('%s: the repository goes on with the new key alone', async (role) => {
    await using workspace = await openRepositoryWorkspace()
    const before = await stateOf(workspace, role)
    const { made, roles } = await replaceAll(workspace, role)
    const after = await stateOf(workspace, role)
    expect(after.keyIds).toEqual([made[0]?.keyId])
    expect(roles[0]?.removed).toEqual(before.keyIds)
    expect(after.metadataVersion).toBe(before.metadataVersion + 1)
    await forgetKey(workspace, before.keyIds[0] ?? '')
    await renewRoles(workspace.repository, [...ROLES], { keys: workspace.keys, now: NOW })
    await release(workspace, { version: '1.0.0' })
    expect((await openRepository(workspace.repository)).releases).toHaveLength(1)
  })

  test('a new root is signed by the one before it and by itself; no root is skipped or taken away', async () => {
    await using workspace = await openRepositoryWorkspace({ rootKeys: 3, rootThreshold: 2 })
    for (let round = 0; round < 12; round += 1) await replaceAll(workspace, round % 2 === 0 ? 'root' : 'timestamp')
    const { edition } = await openRepository(workspace.repository)
    expect(edition.roots.map(({ metadata }) => metadata.signed.version)).toEqual(
      [...Array(13).keys()].map((n) => n + 1),
    )
    for (const [index, { metadata }] of edition.roots.entries()) {
      const signers = new Set(metadata.signatures.map(({ keyid }) => keyid))
      const demands = edition.roots
        .slice(Math.max(0, index - 1), index + 1)
        .map((root) => root.metadata.signed.roles.root)
      for (const { keyids, threshold } of demands) {
        expect(keyids.filter((keyId) => signers.has(keyId)).length).toBeGreaterThanOrEqual(threshold)
      }
    }
  })

  test('a product gets two people of three, with keys of three kinds, and releases need two of them', async () => {
    await using workspace = await openRepositoryWorkspace()
    const { keysDirectory, repository, keys } = workspace
    const add = await Promise.all(
      (['ed25519', 'ecdsa-p256', 'rsa-3072'] as const).map((type, row) =>
        createKeyFile(keysDirectory, `p${row}`, undefined, type),
      ),
    )
    await rotate(repository, (it) => rotation(it, { role: 'acme', add, remove: 'all', threshold: 2 }), {
      keys,
      now: NOW,
    })
    expect(await stateOf(workspace, 'acme')).toMatchObject({ threshold: 2, keyIds: add.map(({ keyId }) => keyId) })
    await release(workspace, { version: '1.0.0' })
    await forgetKey(workspace, add[0]?.keyId ?? '')
    await release(workspace, { version: '1.1.0' })
    await forgetKey(workspace, add[1]?.keyId ?? '')
    await expect(release(workspace, { version: '1.2.0' })).rejects.toMatchObject({ code: 'KEY_MISSING' })
  })

  test.each([
    ['a role that is none', { role: 'nobody', add: [], remove: 'all' as const }, 'USAGE'],
    ['a key that is none', { role: 'root', add: [], remove: ['0'.repeat(8)] }, 'USAGE'],
    ['no key at all', { role: 'root', add: [], remove: 'all' as const }, 'USAGE'],
    ['a threshold beyond the keys', { role: 'acme', add: [], remove: [], threshold: 2 }, 'USAGE'],
    ['nothing', { role: 'acme', add: [], remove: [] }, 'USAGE'],
  ])('refuses %s, and changes nothing', async (_, request, code) => {
    await using workspace = await openRepositoryWorkspace()
    const before = await fingerprintTree(workspace.directory)
    const rotating = rotate(workspace.repository, (it) => rotation(it, request), { keys: workspace.keys, now: NOW })
    await expect(rotating).rejects.toMatchObject({ code })
    expect(await fingerprintTree(workspace.directory)).toEqual({ ...before, 'r/.lock': expect.any(String) })
  })

  test('without enough of the old keys nothing changes, and no new key stays', async () => {
    await using workspace = await openRepositoryWorkspace({ rootKeys: 3, rootThreshold: 2 })
    const { keyIds } = await stateOf(workspace, 'root')
    for (const keyId of keyIds.slice(0, 2)) await forgetKey(workspace, keyId)
    const before = await fingerprintTree(workspace.directory)
    await expect(replaceAll(workspace, 'timestamp')).rejects.toMatchObject({
      code: 'KEY_MISSING',
      message: expect.stringContaining('role root needs 2 of its keys'),
      hint: expect.stringContaining('sign prepare'),
    })
    expect(await fingerprintTree(workspace.directory)).toEqual({ ...before, 'r/.lock': expect.any(String) })
  })

  test("a clock that is behind the repository's releases signs nothing", async () => {
    await using workspace = await openRepositoryWorkspace()
    await release(workspace, { version: '1.0.0' })
    const late = { keys: workspace.keys, now: hoursAfter(NOW, -2) }
    await expect(renewRoles(workspace.repository, ['targets'], late)).rejects.toMatchObject({ code: 'CLOCK_WRONG' })
    await expect(release(workspace, { version: '1.1.0' }, { now: late.now })).rejects.toMatchObject({
      code: 'CLOCK_WRONG',
    })
  })
})

describe('an interruption', () => {
  test.each(['acme', 'targets', 'snapshot', 'root', 'timestamp'])('before %s is written', async (step) => {
    await using workspace = await openRepositoryWorkspace()
    const { repository, keys, keysDirectory } = workspace
    const [a, b] = [
      await createKeyFile(keysDirectory, 'a', undefined),
      await createKeyFile(keysDirectory, 'b', undefined),
    ]
    const edits = ROLES.map((role) => ({ role, add: [a, b], remove: [] as string[], threshold: 2 }))
    const all = await openRepository(repository)
    const whole = edits.map((edit) => ({
      ...edit,
      remove: all.roles.find(({ role }) => role === edit.role)?.keyIds ?? [],
    }))
    const changing = applyChange(repository, (it) => keyChange(it, whole), {
      keys,
      now: NOW,
      onStep: (reached) => {
        if (reached === step) throw new Error('the power is gone')
      },
    })
    await expect(changing).rejects.toThrow('the power is gone')
    const isPublic = await access(join(repository, 'metadata/2.root.json')).then(
      () => true,
      () => false,
    )
    expect(isPublic).toBe(step === 'timestamp')
    if (isPublic) {
      // Clients may have seen the new root, so there is no way back: whoever signs next goes forward.
      await expect(openRepository(repository)).rejects.toMatchObject({
        message: expect.stringContaining('was interrupted'),
      })
      const signal = AbortSignal.timeout(60_000)
      const [check] = await examine(repository, { now: NOW, keysDirectory, network: false, deep: false, signal })
      expect(check).toMatchObject({ level: 'error', hint: expect.stringContaining('renew DIR') })
      await renewOnlineRoles(repository, { keys, now: NOW })
    }
    const { roles } = await openRepository(repository)
    expect(new Set(roles.map(({ threshold }) => threshold))).toEqual(new Set([isPublic ? 2 : 1]))
    await release(workspace, { version: '1.0.0' })
    expect(await readdir(repository)).not.toContain('.pending.json')
  })

  test('whose note is damaged is told, and nothing is guessed', async () => {
    await using workspace = await openRepositoryWorkspace()
    await writeFile(join(workspace.repository, '.pending.json'), '{"../../evil": "x"}')
    await expect(release(workspace, { version: '1.0.0' })).rejects.toMatchObject({ code: 'REPOSITORY_INVALID' })
  })
})

describe('a drill', () => {
  const rehearse = (workspace: Workspace, key: string, what: 'lost' | 'stolen') => {
    const out = join(workspace.directory, 'drill')
    const replacement = { directory: `${out}.keys`, passphrase: undefined, type: 'ecdsa-p256' } as const
    return drill({ repository: workspace.repository, out, key, what }, { keys: workspace.keys, replacement, now: NOW })
  }

  test.each(ROLES)('of a stolen key of %s ends with machines that follow, and a thief without power', async (role) => {
    await using workspace = await openRepositoryWorkspace()
    await release(workspace, { version: '1.0.0' })
    const before = await fingerprintTree(workspace.directory)
    const { keyIds } = await stateOf(workspace, role)
    const { steps } = await rehearse(workspace, keyIds[0]?.slice(0, 8) ?? '', 'stolen')
    expect(steps.map(({ step }) => step)).toEqual([
      ...['copy', 'before', 'theft', 'revoke', 'old machines', 'new machines', 'thief'],
    ])
    expect(steps.find(({ step }) => step === 'theft')?.detail).toContain(`can sign ${role} alone`)
    const after = await fingerprintTree(workspace.directory)
    const own = (tree: Record<string, string>) =>
      Object.entries(tree).filter(([name]) => !name.startsWith('drill') && name !== 'r/.lock')
    expect(own(after)).toEqual(own(before))

    // The copy is a repository like any other.
    const copy = { ...workspace, repository: join(workspace.directory, 'drill') }
    const keys = fileKeys(join(workspace.directory, 'both.keys'), async () => undefined)
    await cp(workspace.keysDirectory, join(workspace.directory, 'both.keys'), { recursive: true })
    await cp(join(workspace.directory, 'drill.keys'), join(workspace.directory, 'both.keys'), {
      recursive: true,
      force: true,
    })
    await release(copy, { version: '1.1.0' }, { keys })
    expect((await openRepository(copy.repository)).releases).toHaveLength(2)
    expect((await openRepository(workspace.repository)).releases).toHaveLength(1)
  })

  test('of a lost key goes without it, if the others suffice; if not, it says what is missing and leaves nothing', async () => {
    await using workspace = await openRepositoryWorkspace({ rootKeys: 3, rootThreshold: 2 })
    const { keyIds } = await stateOf(workspace, 'root')
    const { rotated } = await rehearse(workspace, keyIds[0] ?? '', 'lost')
    expect(rotated.roles).toMatchObject([{ role: 'root', threshold: 2, removed: [keyIds[0]] }])
    await rm(join(workspace.directory, 'drill'), { recursive: true })
    await rm(join(workspace.directory, 'drill.keys'), { recursive: true })

    await forgetKey(workspace, keyIds[1] ?? '')
    const before = await readdir(workspace.directory)
    await expect(rehearse(workspace, keyIds[0] ?? '', 'lost')).rejects.toMatchObject({
      code: 'KEY_MISSING',
      message: expect.stringMatching(/role root needs 2 of its keys .*; 1 are in/),
    })
    expect(await readdir(workspace.directory)).toEqual(before)
    await expect(rehearse(workspace, keyIds[1] ?? '', 'stolen')).rejects.toMatchObject({
      code: 'KEY_MISSING',
      hint: expect.stringContaining('--lost'),
    })
  })
})

test('rotate, revoke and drill through the real program say what they did', async () => {
  await using workspace = await openRepositoryWorkspace()
  // The workspace began in the past; its roles have to be valid today.
  await renewRoles(workspace.repository, ['root', 'targets', 'acme'], { keys: workspace.keys, now: new Date() })
  const run = (...args: readonly string[]) => runPublisher(workspace.directory, args)
  const [old = ''] = (await stateOf(workspace, 'acme')).keyIds
  const rehearsed = await run('drill', old.slice(0, 8), '--stolen', '--repo', 'r', '--out', 'd', '--no-passphrase')
  expect(rehearsed.stdout).toMatch(
    /copy .*\nbefore .*\ntheft .*\nrevoke .*\nold machines .*\nnew machines .*\nthief .*\n\nit works/,
  )
  expect(await run('drill', old.slice(0, 8), '--repo', 'r', '--out', 'e')).toMatchObject({ code: 2 })
  expect(await run('drill', old.slice(0, 8), '--lost', '--repo', 'r', '--out', 'd', '--no-passphrase')).toMatchObject({
    code: 4,
  })
  const revoked = await run('revoke', old.slice(0, 8), '--repo', 'r', '--no-passphrase')
  expect(revoked.stdout).toMatch(
    new RegExp(
      `acme: 1 of [0-9a-f]{8} sign; ${old.slice(0, 8)} no longer do\n {2}made .*acme-[0-9a-f]{8}.pem for acme`,
    ),
  )
  expect(await run('rotate', 'timestamp', '--repo', 'r', '--new', '--no-passphrase')).toMatchObject({
    code: 0,
    stderr: '',
  })
  expect(JSON.parse((await run('rotate', 'acme', '--repo', 'r', '--threshold', '2', '--json')).stdout)).toMatchObject({
    error: { code: 'USAGE' },
  })
  const metadata = JSON.parse(await readFile(join(workspace.repository, 'metadata/timestamp.json'), 'utf8'))
  expect(metadata.signatures[0].keyid).toBe((await stateOf(workspace, 'timestamp')).keyIds[0])
  expect(
    revocation(await openRepository(workspace.repository), {
      key: (await stateOf(workspace, 'root')).keyIds[0] ?? '',
      replacements: [],
    }),
  ).toHaveLength(1)
})
