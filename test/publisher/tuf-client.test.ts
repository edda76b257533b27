// An independent TUF client (tuf-js, with its own fetcher and store) refreshes from what the publisher made, served by a
// web server that knows nothing, and downloads and verifies every target.

import { once } from 'node:events'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join, normalize } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { parseProduct, parseReleaseVersion } from '@updraft/core/names'
import { Updater } from 'tuf-js'
import { parseRollout, rollout } from '../../publisher/src/amend/rollout.ts'
import { urgency } from '../../publisher/src/amend/urgent.ts'
import { yank } from '../../publisher/src/amend/yank.ts'
import { amend } from '../../publisher/src/amend.ts'
import { addProduct } from '../../publisher/src/products.ts'
import { renewOnlineRoles, renewRoles } from '../../publisher/src/renew.ts'
import { openRepository } from '../../publisher/src/repository.ts'
import { release } from './release.ts'
import { openRepositoryWorkspace, type Workspace, writeTree } from './workspace.ts'

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

describe('an independent TUF client', () => {
  test('follows a repository through releases, a new product, amended releases, renewals and new roots', async () => {
    const now = new Date()
    await using workspace = await openRepositoryWorkspace({ rootKeys: 3, rootThreshold: 2 })
    // The workspace began in the past; its roles have to be valid today.
    await renewRoles(workspace.repository, ['root', 'targets', 'acme'], { keys: workspace.keys, now })
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
    await amend(amended, yank({ reason: 'größer', goTo: undefined }, now), { keys, now })
    expect(await downloadAll(workspace, await client.refresh())).toBe(6)

    await renewRoles(workspace.repository, ['root'], { keys: workspace.keys, now })
    await renewRoles(workspace.repository, ['root', 'targets', 'zeta'], { keys: workspace.keys, now })
    await renewOnlineRoles(workspace.repository, { keys: workspace.keys, now })
    expect(await downloadAll(workspace, await client.refresh())).toBe(6)
    expect((await openRepository(workspace.repository)).edition.roots).toHaveLength(4)
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
