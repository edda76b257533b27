// What a change to one product looks at in a repository of several: all that it signs anew, and of the others that their files
// are what the snapshot lists. What it passes over is told by whoever opens the whole.
import { createHash } from 'node:crypto'
import { appendFile, copyFile, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { parseProduct } from '@updraft/core/names'
import type { Metadata, SignedTargets } from '@updraft/core/trust/metadata'
import { notes } from '../../publisher/src/amend/notes.ts'
import { yank } from '../../publisher/src/amend/yank.ts'
import { type Amended, amend } from '../../publisher/src/amend.ts'
import { declareUrgent } from '../../publisher/src/declare-urgent.ts'
import { examine } from '../../publisher/src/doctor.ts'
import { openSigners } from '../../publisher/src/keys/signer.ts'
import { renewRoles } from '../../publisher/src/renew.ts'
import { commitFiles } from '../../publisher/src/repository/commit.ts'
import { parseWanted } from '../../publisher/src/repository/find-release.ts'
import { openProducts, openRepository, rolesNamed } from '../../publisher/src/repository.ts'
import { signRole } from '../../publisher/src/sign/role.ts'
import { signChange } from '../../publisher/src/sign.ts'
import { release } from './release.ts'
import {
  copyWorkspace,
  fingerprintTree,
  hoursAfter,
  NOW,
  openRepositoryWorkspace,
  type Workspace,
  writeTree,
} from './workspace.ts'

const LATER = hoursAfter(NOW, 1)

interface Options {
  readonly product?: string
  readonly now?: Date
  readonly onStep?: (step: string) => void
}

/** Signs other notes for 1.0.0 of a product. */
const noting = (
  { repository, keys }: Workspace,
  text: string,
  { product = 'acme', now = LATER, onStep }: Options = {},
): Promise<Amended> =>
  amend({ repository, ...parseWanted(product, '1.0.0', undefined) }, notes(text), { keys, now, onStep })

let template: Workspace

beforeAll(async () => {
  template = await openRepositoryWorkspace({ products: ['acme', 'beta', 'zeta'].map(parseProduct), urgentKeys: 1 })
  for (const product of ['acme', 'beta', 'zeta']) await release(template, { product, version: '1.0.0' })
  await noting(template, 'what beta was', { product: 'beta' })
})
afterAll(async () => {
  await template[Symbol.asyncDispose]()
})

/** acme, beta and zeta, of each 1.0.0 on stable; and the role urgent. */
const published = (): Promise<Workspace> => copyWorkspace(template)

describe('what is signed', () => {
  test('is what it would be had all been opened, and all other lines of the snapshot stay', async () => {
    await using workspace = await published()
    const before = await openRepository(workspace.repository)
    const amended = await noting(workspace, 'other notes')
    const after = await openRepository(workspace.repository)
    expect(amended.metadataVersions).toEqual(
      Object.fromEntries(after.roles.map(({ role, metadataVersion }) => [role, metadataVersion])),
    )
    expect(Object.keys(amended.metadataVersions)).toEqual(after.roles.map(({ role }) => role))
    const [old, now] = [before, after].map(({ edition }) => edition.snapshot.metadata.signed.meta)
    expect(Object.keys(now ?? {})).toEqual(Object.keys(old ?? {}))
    expect({ ...now, 'acme.json': undefined }).toEqual({ ...old, 'acme.json': undefined })
    expect(now?.['acme.json']?.version).toBe((old?.['acme.json']?.version ?? 0) + 1)
  })

  test('an opened part knows its products, all names and roles, and takes no other delegations', async () => {
    await using workspace = await published()
    const whole = await openRepository(workspace.repository)
    const part = await openProducts(workspace.repository, () => ['zeta', 'nobody'])
    expect([...part.edition.products.keys()]).toEqual(['zeta', 'urgent'])
    expect(part.releases).toEqual(whole.releases.filter(({ release: { product } }) => product === 'zeta'))
    expect({ products: part.products, roles: part.roles }).toEqual({ products: whole.products, roles: whole.roles })
    const options = { signers: new Map(), expiryDays: part.settings.expiryDays, now: LATER }
    const change = { targets: whole.edition.targets.metadata.signed }
    await expect(signChange(part.edition, change, options)).rejects.toThrow('open the whole edition')
  })

  test('entries that are no longer urgent go, of whichever product', async () => {
    await using workspace = await published()
    const { repository, keys } = workspace
    const declaring = (product: string) =>
      declareUrgent({ repository, ...parseWanted(product, '1.0.0', undefined), undo: false }, { keys, now: LATER })
    await declaring('beta')
    await declaring('zeta')
    const wanted = parseWanted('beta', '1.0.0', undefined)
    await amend({ repository, ...wanted }, yank({ reason: 'broken', goTo: undefined }, LATER), { keys, now: LATER })
    await declaring('acme')
    const { edition } = await openRepository(repository)
    expect(edition.products.get('urgent')?.metadata.signed.urgent).toMatchObject({
      releases: [{ product: 'zeta' }, { product: 'acme' }],
    })
  })

  test('old versions of what is signed often go, as after a release', async () => {
    await using workspace = await published()
    for (let count = 0; count < 14; count += 1) await noting(workspace, `notes ${count}`)
    const names = await readdir(join(workspace.repository, 'metadata'))
    const versionsOf = (role: string) => names.filter((name) => new RegExp(`^[0-9]+\\.${role}\\.json$`).test(name))
    expect([versionsOf('acme').length, versionsOf('snapshot').length]).toEqual([12, 12])
    await openRepository(workspace.repository)
  })
})

describe('a file of metadata that is damaged ends every change, whomever it is about', () => {
  // One repository for all: each test puts back what it damages.
  let workspace: Workspace
  beforeAll(async () => {
    workspace = await published()
  })
  afterAll(async () => {
    await noting(workspace, 'all is back')
    await openRepository(workspace.repository)
    await workspace[Symbol.asyncDispose]()
  })

  const current = async (role: string): Promise<string> => {
    const names = await readdir(join(workspace.repository, 'metadata'))
    const versionOf = (name: string) => Number(new RegExp(`^([0-9]+)\\.${role}\\.json$`).exec(name)?.[1] ?? 0)
    return role === 'timestamp' ? 'timestamp.json' : `${Math.max(...names.map(versionOf))}.${role}.json`
  }

  describe.each(['root', 'timestamp', 'snapshot', 'targets', 'urgent', 'acme', 'beta'])('that of %s', (role) => {
    const damaging = async (damage: (file: string, intact: Buffer) => Promise<void>) => {
      const file = join(workspace.repository, 'metadata', await current(role))
      const intact = await readFile(file)
      await damage(file, intact)
      const before = await fingerprintTree(workspace.repository)
      await expect(noting(workspace, 'other notes')).rejects.toMatchObject({
        code: 'REPOSITORY_INVALID',
        message: expect.stringContaining(file),
      })
      expect(await fingerprintTree(workspace.repository)).toEqual(before)
      await writeFile(file, intact)
    }

    test('with one bit flipped, wherever it is', async () => {
      const { size } = await stat(join(workspace.repository, 'metadata', await current(role)))
      for (let at = 0; at < size; at += 101) {
        await damaging((file, intact) => {
          const flipped = Buffer.from(intact)
          flipped[at] = (flipped[at] ?? 0) ^ (1 << (at % 8))
          return writeFile(file, flipped)
        })
      }
    })

    test('cut short, empty, longer, or gone', async () => {
      await damaging((file, intact) => writeFile(file, intact.subarray(0, intact.length / 2)))
      await damaging((file) => writeFile(file, ''))
      if (role !== 'root' && role !== 'timestamp') await damaging((file) => appendFile(file, '\n'))
      await damaging((file) => rm(file))
    })
  })

  test('an older file of another product in the place of the newest', async () => {
    const folder = join(workspace.repository, 'metadata')
    const newest = join(folder, await current('beta'))
    await rename(newest, `${newest}.aside`)
    await copyFile(join(folder, '2.beta.json'), newest)
    await expect(noting(workspace, 'other notes')).rejects.toMatchObject({
      message: `${newest} is damaged: it has version 2 instead of 3`,
    })
    await rename(`${newest}.aside`, newest)
  })
})

describe('whoever stole the keys of snapshot and timestamp, and lists what nobody of the product signed', () => {
  /** A file that says something else than its product signed, and online roles that list it. */
  const forging = async ({ repository, keys }: Workspace, product: string): Promise<void> => {
    const opened = await openRepository(repository)
    const { root, products, snapshot, timestamp } = opened.edition
    const own = products.get(product)
    if (own === undefined) throw new Error(`no ${product}`)
    const version = own.metadata.signed.version + 1
    const metadata: Metadata<SignedTargets> = { ...own.metadata, signed: { ...own.metadata.signed, version } }
    const forged = { role: product, metadata, bytes: Buffer.from(JSON.stringify(metadata)) }
    const listing = (bytes: Buffer, signed: { version: number }) => ({
      version: signed.version,
      length: bytes.length,
      hashes: { sha256: createHash('sha256').update(bytes).digest('hex') },
    })
    const signers = await openSigners(keys, rolesNamed(opened, ['snapshot', 'timestamp']))
    const next = <Signed extends { version: number }>(signed: Signed) => ({ ...signed, version: signed.version + 1 })
    const { signed } = snapshot.metadata
    const meta = { ...signed.meta, [`${product}.json`]: listing(forged.bytes, metadata.signed) }
    const newSnapshot = await signRole('snapshot', { ...next(signed), meta }, signers, [root.metadata.signed])
    const newest = { 'snapshot.json': listing(newSnapshot.bytes, newSnapshot.metadata.signed) }
    const newTimestamp = await signRole('timestamp', { ...next(timestamp.metadata.signed), meta: newest }, signers, [
      root.metadata.signed,
    ])
    await commitFiles(repository, { metadata: [forged, newSnapshot, newTimestamp] })
  }

  test('gets none of it signed: the product cannot be changed, and whoever opens the whole is told', async () => {
    await using workspace = await published()
    await forging(workspace, 'acme')
    const before = await fingerprintTree(workspace.repository)
    const refused = {
      code: 'REPOSITORY_INVALID',
      message: expect.stringMatching(/acme\.json is damaged: its signature/),
    }
    await expect(noting(workspace, 'other notes')).rejects.toMatchObject(refused)
    await expect(release(workspace, { version: '1.1.0' })).rejects.toMatchObject(refused)
    await expect(release(workspace, { product: 'beta', version: '1.1.0' })).rejects.toMatchObject(refused)
    await expect(renewRoles(workspace.repository, [], { keys: workspace.keys, now: LATER })).rejects.toMatchObject(
      refused,
    )
    const options = { now: LATER, keysDirectory: workspace.keysDirectory, network: false, deep: false }
    expect(await examine(workspace.repository, { ...options, signal: new AbortController().signal })).toMatchObject([
      { code: 'repository', level: 'error', detail: refused.message },
    ])
    expect(await fingerprintTree(workspace.repository)).toEqual(before)
  })

  test('does not keep another product from being changed: its line of the snapshot is carried on as it was', async () => {
    await using workspace = await published()
    await forging(workspace, 'acme')
    const before = await fingerprintTree(workspace.repository)
    expect(await noting(workspace, 'other notes', { product: 'zeta' })).toMatchObject({ changed: true })
    const after = await fingerprintTree(workspace.repository)
    const acme = Object.entries(before).filter(([name]) => name.endsWith('.acme.json'))
    expect(after).toMatchObject(Object.fromEntries(acme))
    await expect(openRepository(workspace.repository)).rejects.toMatchObject({
      message: expect.stringMatching(/acme\.json is damaged: its signature/),
    })
  })
})

describe('a clock that is behind what is in the repository', () => {
  test.each(['acme', 'zeta'])('is noticed by a change to acme when it was %s that was released', async (product) => {
    await using workspace = await published()
    const tomorrow = hoursAfter(NOW, 24)
    await release(workspace, { product, version: '1.1.0' }, { now: tomorrow })
    const before = await fingerprintTree(workspace.repository)
    await expect(noting(workspace, 'other notes')).rejects.toMatchObject({
      code: 'CLOCK_WRONG',
      message: expect.stringMatching(new RegExp(`${product}.1\\.1\\.0.* was signed at ${tomorrow.toISOString()}`)),
    })
    expect(await fingerprintTree(workspace.repository)).toEqual(before)
    await noting(workspace, 'other notes', { now: tomorrow })
  })
})

describe('what a change that did not end well has left', () => {
  const LEFT = {
    'bundles/acme_1.1.0_any/pack': 'a pack that nobody signed',
    'targets/zeta/1.1.0/0000.any.index': 'an index that nobody signed',
    'metadata/9.zeta.json': '{}',
    'metadata/9.snapshot.json': '{}',
    'metadata/.timestamp.json.0123.tmp': 'half',
  }

  test('is swept by the next one, whichever it is', async () => {
    await using workspace = await published()
    const before = Object.keys(await fingerprintTree(workspace.repository))
    await writeTree(workspace.repository, { ...LEFT, '.staging/acme_1.1.0_any/pack': 'half a pack' })
    await noting(workspace, 'other notes')
    const after = Object.keys(await fingerprintTree(workspace.repository))
    expect(after.filter((name) => !before.includes(name))).toEqual(['metadata/3.acme.json', 'metadata/6.snapshot.json'])
    expect(await readdir(workspace.repository)).not.toContain('.staging')
  })

  test('stays marked until all of it is gone', async () => {
    await using workspace = await published()
    await writeTree(workspace.repository, { ...LEFT, '.staging/acme_1.1.0_any/pack': 'half a pack' })
    const bundles = join(workspace.repository, 'bundles')
    await rename(bundles, `${bundles}.aside`)
    await writeFile(bundles, 'no folder')
    await expect(noting(workspace, 'other notes')).rejects.toMatchObject({ code: 'IO' })
    expect(await readdir(workspace.repository)).toContain('.staging')
    await rm(bundles)
    await rename(`${bundles}.aside`, bundles)
    await noting(workspace, 'other notes')
    expect(await readdir(bundles)).not.toContain('acme_1.1.0_any')
  })

  test('in metadata is swept by every change, marked or not', async () => {
    await using workspace = await published()
    const before = Object.keys(await fingerprintTree(workspace.repository))
    await writeTree(
      workspace.repository,
      Object.fromEntries(Object.entries(LEFT).filter(([name]) => /^meta/.test(name))),
    )
    await noting(workspace, 'other notes')
    const after = Object.keys(await fingerprintTree(workspace.repository))
    expect(after.filter((name) => !before.includes(name))).toEqual(['metadata/3.acme.json', 'metadata/6.snapshot.json'])
  })

  test.each(['acme', 'snapshot', 'timestamp'])('is nothing when it ends before %s', async (step) => {
    await using workspace = await published()
    const before = await fingerprintTree(workspace.repository)
    const onStep = (name: string) => {
      if (name === step) throw new Error('no more')
    }
    await expect(noting(workspace, 'other notes', { onStep })).rejects.toThrow('no more')
    expect(await fingerprintTree(workspace.repository)).toEqual(before)
    expect(await readdir(workspace.repository)).not.toContain('.staging')
  })
})
