// A product that is added later: its delegation, its key, and what stays as it was.
import { rm } from 'node:fs/promises'
import { describe, expect, test } from '@jest/globals'
import { parseProduct } from '@updraft/core/names'
import { addProduct } from '../../publisher/src/products.ts'
import { openRepository } from '../../publisher/src/repository.ts'
import { fingerprintTree, init, NOW, openWorkspace, type Workspace } from './workspace.ts'

describe('adding a product', () => {
  const options = (workspace: Workspace) => ({
    keys: workspace.keys,
    keysDirectory: workspace.keysDirectory,
    passphrase: undefined,
    now: NOW,
  })

  test('delegates to it with a key of its own', async () => {
    await using workspace = await openWorkspace()
    await init(workspace)
    const { key } = await addProduct(workspace.repository, parseProduct('zeta'), options(workspace))
    const { products, roles } = await openRepository(workspace.repository)
    expect(products).toEqual(['acme', 'zeta'])
    expect(roles.find(({ role }) => role === 'zeta')).toMatchObject({ keyIds: [key.keyId], metadataVersion: 1 })
    const versions = Object.fromEntries(roles.map(({ role, metadataVersion }) => [role, metadataVersion]))
    expect(versions).toEqual({ root: 1, acme: 1, zeta: 1, targets: 2, snapshot: 2, timestamp: 2 })
  })

  test('refuses one that is there, and changes nothing', async () => {
    await using workspace = await openWorkspace()
    await init(workspace)
    const before = await fingerprintTree(workspace.directory)
    await expect(addProduct(workspace.repository, parseProduct('acme'), options(workspace))).rejects.toMatchObject({
      code: 'USAGE',
    })
    expect(await fingerprintTree(workspace.directory)).toEqual({ ...before, 'r/.lock': expect.any(String) })
  })

  test('needs the key of targets, and makes no key without it', async () => {
    await using workspace = await openWorkspace()
    const { keys } = await init(workspace)
    await rm(keys.find(({ role }) => role === 'targets')?.path ?? '')
    const before = await fingerprintTree(workspace.directory)
    await expect(addProduct(workspace.repository, parseProduct('zeta'), options(workspace))).rejects.toMatchObject({
      code: 'KEY_MISSING',
    })
    expect(await fingerprintTree(workspace.directory)).toEqual({ ...before, 'r/.lock': expect.any(String) })
  })
})
