// Patches as a release has them: signed, in torrents of their own, seeded and kept; and when there are none.
import { createHash } from 'node:crypto'
import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { parseMetainfo } from '@updraft/core/swarm/metainfo'
import { infoHashesOf } from '../../publisher/src/origin/catalog.ts'
import { verifyTorrent } from '../../publisher/src/repository/verify-torrent.ts'
import { openRepository } from '../../publisher/src/repository.ts'
import { pseudoText } from '../support/small-build.ts'
import { release } from './release.ts'
import { openRepositoryWorkspace, type Workspace, writeTree } from './workspace.ts'

/** Code that stays, with addresses in it that are others in every version. */
const program = (minor: number): Buffer => {
  const code = Buffer.from(pseudoText(200_000, 50))
  for (let at = 0; at < code.length; at += 40) code.writeUInt32LE(at * 3 + minor * 0x1230, at)
  return code
}

const publishMinor = async (workspace: Workspace, minor: number) => {
  await writeTree(workspace.build, { program: program(minor) })
  return await release(workspace, { version: `1.${minor}.0` })
}

const newestOf = async (workspace: Workspace) => {
  const { releases } = await openRepository(workspace.repository)
  const newest = releases.at(-1)
  if (newest === undefined) throw new Error('nothing was published')
  return newest
}

describe('a release', () => {
  test('has patches from the three before it, in signed torrents of their own', async () => {
    await using workspace = await openRepositoryWorkspace()
    for (const minor of [0, 1, 2, 3]) await publishMinor(workspace, minor)
    const published = await publishMinor(workspace, 4)
    expect(published.patches.map(({ fromVersion }) => fromVersion)).toEqual(['1.3.0', '1.2.0', '1.1.0'])

    const newest = await newestOf(workspace)
    const { releases } = await openRepository(workspace.repository)
    const [, ...torrents] = newest.torrents
    expect(newest.release.patches).toHaveLength(3)
    for (const [row, { from, lengthBytes, sha256, btih, metainfo }] of (newest.release.patches ?? []).entries()) {
      expect(releases[3 - row]?.index.sha256).toBe(from)
      const name = `acme_1.4.0_any_from_${from.slice(0, 16)}`
      const patch = await readFile(join(workspace.repository, 'bundles', name, 'patch'))
      expect([patch.length, createHash('sha256').update(patch).digest('hex')]).toEqual([lengthBytes, sha256])
      expect(patch.length).toBeLessThan(published.sizes.packBytes / 5)
      const folder = join(workspace.repository, 'targets/acme/1.4.0')
      const parsed = parseMetainfo(await readFile(join(folder, `${metainfo.sha256}.any.patch.torrent`)))
      expect(parsed).toMatchObject({
        infoHash: btih,
        name,
        files: [{ path: 'patch', lengthBytes }],
        pieceLength: 16384,
      })
      expect(infoHashesOf({ releases, roles: [] }).has(btih)).toBe(true)
      const torrent = torrents[row]
      expect(torrent?.infoHash).toBe(btih)
      if (torrent !== undefined) await verifyTorrent(torrent, new AbortController().signal)
    }
  })

  test('keeps them when the next ones come, and what a killed publish left goes', async () => {
    await using workspace = await openRepositoryWorkspace()
    for (const minor of [0, 1]) await publishMinor(workspace, minor)
    const bundles = join(workspace.repository, 'bundles')
    const before = await readdir(bundles)
    expect(before.filter((name) => name.includes('_from_'))).toHaveLength(1)
    await writeTree(bundles, { 'acme_1.2.0_any_from_0123456789abcdef/patch': 'nobody signed it' })
    await publishMinor(workspace, 3)
    const after = await readdir(bundles)
    expect(after).toEqual(expect.arrayContaining(before))
    expect(after.filter((name) => name.includes('1.2.0'))).toEqual([])
  })

  test('has none where nothing is new', async () => {
    await using workspace = await openRepositoryWorkspace()
    await writeTree(workspace.build, { stays: pseudoText(100_000, 1) })
    await release(workspace, { version: '1.0.0' })
    await release(workspace, { version: '1.1.0' })
    expect((await newestOf(workspace)).release.patches).toBeUndefined()
  })

  test('has none from a release whose pack is damaged or gone', async () => {
    await using workspace = await openRepositoryWorkspace()
    const published = [
      await publishMinor(workspace, 0),
      await publishMinor(workspace, 1),
      await publishMinor(workspace, 2),
    ]
    await writeFile(published[0]?.files.pack ?? '', 'no pack')
    await rm(published[1]?.files.pack ?? '')
    const { patches } = await publishMinor(workspace, 3)
    expect(patches.map(({ fromVersion }) => fromVersion)).toEqual(['1.2.0'])
  })
})
