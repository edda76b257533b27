// An independent TUF client (tuf-js, with its own fetcher and store) refreshes from what the publisher made, served by a
// web server that knows nothing, and downloads and verifies every target.

import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync } from 'node:fs'
import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join, normalize } from 'node:path'
import { afterAll, describe, expect, test } from '@jest/globals'
import { parseProduct, parseReleaseVersion } from '@updraft/core/names'
import { Updater } from 'tuf-js'
import { refresh } from '../../agent/src/refresh.ts'
import { parseRollout, rollout } from '../../publisher/src/amend/rollout.ts'
import { urgency } from '../../publisher/src/amend/urgent.ts'
import { yank } from '../../publisher/src/amend/yank.ts'
import { amend } from '../../publisher/src/amend.ts'
import { applyChange } from '../../publisher/src/apply-change.ts'
import { prepareFounding } from '../../publisher/src/ceremony/founding.ts'
import { addSignatures, finishCeremony, prepareCeremony } from '../../publisher/src/ceremony.ts'
import { declareUrgent } from '../../publisher/src/declare-urgent.ts'
import { makeAuthority } from '../../publisher/src/keys/authority.ts'
import { createKeyFile, fileKeys } from '../../publisher/src/keys/key-file.ts'
import type { PublicKey } from '../../publisher/src/keys/public-key.ts'
import { addProduct } from '../../publisher/src/products.ts'
import { renewalOf, renewOnlineRoles, renewRoles } from '../../publisher/src/renew.ts'
import { openRepository, type Repository } from '../../publisher/src/repository.ts'
import { parseRepositorySettings } from '../../publisher/src/repository-settings.ts'
import { revocation, rotate, rotation } from '../../publisher/src/rotate.ts'
import { identityChange } from '../../publisher/src/sign/identities.ts'
import { describeWith, needsPython } from '../support/needs.ts'
import { memoryFloors, sourceOf } from '../support/refreshing.ts'
import { release } from './release.ts'
import { openRepositoryWorkspace, openWorkspace, type Workspace, writeTree } from './workspace.ts'

interface Served extends AsyncDisposable {
  readonly url: string
}

const serve = async (folder: string): Promise<Served> => {
  const server = createServer(async (request, response) => {
    try {
      response.end(await readFile(join(folder, normalize(decodeURIComponent(request.url ?? '/')))))
    } catch {
      response.writeHead(404).end()
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

interface Client {
  /** A refresh as after a restart: on the cache that the last one left. */
  refresh(): Promise<Updater>
}

const newClient = async ({ directory, repository }: Workspace, { url }: Served): Promise<Client> => {
  const metadataDir = join(directory, 'client/metadata')
  const targetDir = join(directory, 'client/targets')
  await mkdir(targetDir, { recursive: true })
  await mkdir(metadataDir)
  await writeFile(join(metadataDir, 'root.json'), await readFile(join(repository, 'metadata/1.root.json')))
  return {
    refresh: async () => {
      const updater = new Updater({
        metadataDir,
        metadataBaseUrl: `${url}/metadata`,
        targetDir,
        targetBaseUrl: `${url}/targets`,
        config: { fetchRetry: 0 },
      })
      await updater.refresh()
      return updater
    },
  }
}

/** Our own agent, which has pinned the first root; its refresh tells how many releases it would trust. */
const newMachine = async ({ directory, repository }: Workspace, { url }: Served) => {
  const source = sourceOf(await readFile(join(repository, 'metadata/1.root.json')), [`${url}/`])
  const options = { cacheDirectory: join(directory, 'agent'), floors: memoryFloors(), now: () => new Date() }
  return { refresh: async () => (await refresh(source, [parseProduct('acme')], options)).releases.length }
}

/** Downloads every target of every release, and returns how many there were. */
const downloadAll = async ({ repository }: Workspace, updater: Updater): Promise<number> => {
  const { releases } = await openRepository(repository)
  const paths = releases.flatMap(({ index, metainfo }) => [index.path, metainfo.path])
  for (const path of paths) {
    const target = await updater.getTargetInfo(path)
    if (target === undefined) throw new Error(`the client does not find ${path}`)
    await updater.downloadTarget(target)
  }
  return paths.length
}

/** The metadata that the second test ends with, for another judge. */
const rotatedMetadata = join(mkdtempSync(join(tmpdir(), 'updraft-rotated-')), 'metadata')
afterAll(() => rm(dirname(rotatedMetadata), { recursive: true }))

describe('an independent TUF client', () => {
  test('follows a repository through releases, a new product, amended releases, renewals and new roots', async () => {
    const now = new Date()
    await using workspace = await openRepositoryWorkspace({ rootKeys: 3, rootThreshold: 2, urgentKeys: 1 })
    // The workspace began in the past; its roles have to be valid today.
    await renewRoles(workspace.repository, ['root', 'targets', 'acme', 'urgent'], { keys: workspace.keys, now })
    await using served = await serve(workspace.repository)
    const client = await newClient(workspace, served)
    expect(await downloadAll(workspace, await client.refresh())).toBe(0)

    await release(workspace, { version: '1.0.0' }, { now })
    await release(workspace, { version: '1.0.0', platform: 'linux-x64' }, { now })
    expect(await downloadAll(workspace, await client.refresh())).toBe(4)

    const options = { keys: workspace.keys, keysDirectory: workspace.keysDirectory, passphrase: undefined, now }
    await addProduct(workspace.repository, parseProduct('zeta'), options)
    await writeTree(workspace.build, { 'more.txt': 'more' })
    await release(workspace, { version: '2.0.0-rc.1', product: 'zeta', channels: ['beta'] }, { now })
    expect(await downloadAll(workspace, await client.refresh())).toBe(6)

    const { repository, keys } = workspace
    const amended = { repository, product: parseProduct('acme'), version: parseReleaseVersion('1.0.0') }
    await amend(amended, rollout(parseRollout(['0.01%', '100%@3d'], now)), { keys, now })
    await amend(amended, urgency, { keys, now })
    await declareUrgent({ ...amended, undo: false }, { keys, now })
    await amend(amended, yank({ reason: 'größer', goTo: undefined }, now), { keys, now })
    expect(await downloadAll(workspace, await client.refresh())).toBe(6)

    await renewRoles(workspace.repository, ['root'], { keys: workspace.keys, now })
    await renewRoles(workspace.repository, ['root', 'targets', 'zeta'], { keys: workspace.keys, now })
    await renewOnlineRoles(workspace.repository, { keys: workspace.keys, now })
    expect(await downloadAll(workspace, await client.refresh())).toBe(6)
    expect((await openRepository(workspace.repository)).edition.roots).toHaveLength(4)
  })

  test('follows new keys of three kinds for every role, thresholds, a revoked key, an identity, and a ceremony', async () => {
    const now = new Date()
    await using workspace = await openRepositoryWorkspace({ urgentKeys: 1 })
    const { repository, keys, keysDirectory } = workspace
    await renewRoles(repository, ['root', 'targets', 'acme', 'urgent'], { keys, now })
    await release(workspace, { version: '1.0.0' }, { now })
    await using served = await serve(repository)
    const client = await newClient(workspace, served)
    const machine = await newMachine(workspace, served)
    const follow = async () => {
      expect(await downloadAll(workspace, await client.refresh())).toBe(2)
      expect(await machine.refresh()).toBe(1)
    }
    await follow()

    const people = await Promise.all(
      (['ed25519', 'ecdsa-p256', 'rsa-3072'] as const).map((type) =>
        createKeyFile(keysDirectory, type, undefined, type),
      ),
    )
    for (const role of ['root', 'targets', 'snapshot', 'timestamp', 'acme', 'urgent']) {
      const edit = { role, add: people, remove: 'all', threshold: 2 } as const
      await rotate(repository, (it) => rotation(it, edit), { keys, now })
      await follow()
    }
    const [first, second] = people
    const replace = { directory: keysDirectory, passphrase: undefined, type: 'ecdsa-p256' } as const
    const edits = (it: Repository) => revocation(it, { key: first?.keyId ?? '', replacements: [] })
    await rotate(repository, edits, { keys, now, replace })
    await follow()

    const named = { name: 'second', publicKey: second as PublicKey, chain: [] }
    const { certificate } = await makeAuthority(
      named,
      { subject: 'CN=Second', days: 9 },
      { directory: keysDirectory, keys, now },
    )
    const chains = [{ file: 'second', certificates: [certificate] }]
    const identity = { chains, revocationLists: [], remove: false }
    await applyChange(repository, (it) => identityChange(it, parseProduct('acme'), identity, now), { keys, now })
    await follow()

    const file = join(workspace.directory, 'ceremony.json')
    await prepareCeremony(repository, (it) => renewalOf(it, ['root', 'targets']), file, now)
    await addSignatures(file, { keys, keysDirectory, fingerprint: undefined, now, confirm: async () => {} })
    await finishCeremony(repository, [file], { keys, now })
    await follow()
    await cp(join(repository, 'metadata'), rotatedMetadata, { recursive: true })
  })

  test("follows a repository that three people founded, none of whom ever had another one's key", async () => {
    const now = new Date()
    await using workspace = await openWorkspace()
    const { directory, repository, keys, keysDirectory } = workspace
    const people = await Promise.all(
      (['ed25519', 'ecdsa-p256', 'rsa-3072'] as const).map((type) =>
        createKeyFile(join(directory, type), type, undefined, type),
      ),
    )
    const own = async (name: string) => ({ keys: [await createKeyFile(keysDirectory, name, undefined)], threshold: 1 })
    const founders = {
      root: { keys: people, threshold: 3 },
      targets: { keys: people, threshold: 2 },
      snapshot: await own('snapshot'),
      timestamp: await own('timestamp'),
      products: [{ product: parseProduct('acme'), holders: await own('acme') }],
    }
    const file = join(directory, 'ceremony.json')
    const { expiryDays } = parseRepositorySettings({}, 'test')
    const { fingerprint } = await prepareFounding(founders, file, { expiryDays, now })
    for (const folder of ['ed25519', 'ecdsa-p256', 'rsa-3072']
      .map((type) => join(directory, type))
      .concat(keysDirectory)) {
      const confirm = async () => {}
      const signer = { keys: fileKeys(folder, async () => undefined), keysDirectory: folder, fingerprint, now, confirm }
      await addSignatures(file, signer)
    }
    await finishCeremony(repository, [file], { keys, now, founding: { keysDirectory, settings: undefined } })
    await writeTree(workspace.build, { 'bin/acme': 'the program' })
    await using served = await serve(repository)
    const client = await newClient(workspace, served)
    expect(await downloadAll(workspace, await client.refresh())).toBe(0)
    await release(workspace, { version: '1.0.0' }, { now })
    expect(await downloadAll(workspace, await client.refresh())).toBe(2)
    expect(await (await newMachine(workspace, served)).refresh()).toBe(1)
  })

  test('finds no target of a product in another product', async () => {
    const now = new Date()
    await using workspace = await openRepositoryWorkspace()
    await renewRoles(workspace.repository, ['root', 'targets'], { keys: workspace.keys, now })
    await release(workspace, { version: '1.0.0' }, { now })
    await using served = await serve(workspace.repository)
    const updater = await (await newClient(workspace, served)).refresh()
    expect(await updater.getTargetInfo('zeta/1.0.0/any.index')).toBeUndefined()
  })
})

describeWith([needsPython('securesystemslib')], 'the library that python-tuf stands on', () => {
  test('verifies each signature of those keys, over the canonical form as it has it', async () => {
    const verify = () => {
      const script = join(import.meta.dirname, 'verify-metadata.py')
      return spawnSync('/usr/bin/python3', [script, rotatedMetadata], { encoding: 'utf8' })
    }
    expect(verify()).toMatchObject({ status: 0, stdout: 'verified\n', stderr: '' })
    const timestamp = join(rotatedMetadata, 'timestamp.json')
    await writeFile(timestamp, (await readFile(timestamp, 'utf8')).replace('"version": ', '"version": 1'))
    expect(verify()).toMatchObject({ status: 1, stderr: expect.stringContaining('UnverifiedSignatureError') })
  })
})
