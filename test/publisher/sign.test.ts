// Signing: what a signer that answers wrongly, and content that clients would refuse, come to.
import { describe, expect, test } from '@jest/globals'
import type { MetadataSigner as Signer } from '../../publisher/src/keys/signer.ts'
import { openSigners } from '../../publisher/src/keys/signer.ts'
import { openRepository, rolesNamed } from '../../publisher/src/repository.ts'
import { type Change, signChange } from '../../publisher/src/sign.ts'
import { init, NOW, openWorkspace, type Workspace } from './workspace.ts'

const signersWith = async (workspace: Workspace, replace: (signer: Signer) => Signer | undefined) => {
  const repository = await openRepository(workspace.repository)
  const opened = await openSigners(workspace.keys, rolesNamed(repository, ['acme', 'snapshot', 'timestamp']))
  const replaced = new Map([...opened].map(([role, signers]) => [role, signers.flatMap((one) => replace(one) ?? [])]))
  return { edition: repository.edition, signers: replaced, expiryDays: repository.settings.expiryDays, now: NOW }
}

const target = { length: 1, hashes: { sha256: 'a'.repeat(64), sha512: 'b'.repeat(128) } }
const targetAt = (path: string): Change => ({ products: new Map([['acme', { targets: { [path]: target } }]]) })

describe('a signer is found out', () => {
  test.each<[string, (signer: Signer) => Signer | undefined]>([
    ['that does not sign', () => undefined],
    ['that signs something else', (one) => ({ ...one, sign: () => one.sign(Buffer.from('something else')) })],
    ['that answers no signature', (one) => ({ ...one, sign: async () => 'no signature' })],
    ['that answers in upper case', (one) => ({ ...one, sign: async (bytes) => (await one.sign(bytes)).toUpperCase() })],
    ['that is a stranger', (one) => ({ ...one, keyId: 'c'.repeat(64) })],
  ])('%s', async (_, replace) => {
    await using workspace = await openWorkspace()
    await init(workspace)
    const { edition, ...options } = await signersWith(workspace, replace)
    await expect(signChange(edition, { snapshot: true }, options)).rejects.toMatchObject({ code: 'KEY_MISSING' })
  })
})

describe('metadata is not signed', () => {
  test.each(['other/1.0.0/any.index', 'acme/any.index', 'acme/../any.index', 'acme/1.0.0/any.exe'])(
    'with the target %s',
    async (path) => {
      await using workspace = await openWorkspace()
      await init(workspace)
      const { edition, ...options } = await signersWith(workspace, (signer) => signer)
      await expect(signChange(edition, targetAt(path), options)).rejects.toMatchObject({ code: 'METADATA_POLICY' })
      await expect(signChange(edition, targetAt('acme/1.0.0/any.index'), options)).resolves.toBeDefined()
    },
  )
})

describe('a change', () => {
  test('gives new versions to what it touches, to snapshot and timestamp, and to nothing else', async () => {
    await using workspace = await openWorkspace()
    await init(workspace)
    const { edition, ...options } = await signersWith(workspace, (signer) => signer)
    const signed = await signChange(edition, targetAt('acme/1.0.0/any.index'), options)
    expect(signed.changed.map(({ role, metadata }) => `${role} ${metadata.signed.version}`)).toEqual([
      'acme 2',
      'snapshot 2',
      'timestamp 2',
    ])
    expect(signed.edition.root).toBe(edition.root)
    expect(signed.edition.targets).toBe(edition.targets)
    expect(signed.edition.snapshot.metadata.signed.meta['targets.json']).toEqual(
      edition.snapshot.metadata.signed.meta['targets.json'],
    )
  })

  test('of nothing only renews the timestamp', async () => {
    await using workspace = await openWorkspace()
    await init(workspace)
    const { edition, ...options } = await signersWith(workspace, (signer) => signer)
    const { changed } = await signChange(edition, {}, options)
    expect(changed.map(({ role }) => role)).toEqual(['timestamp'])
  })
})
