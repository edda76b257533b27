// Exporting a release: what the file holds, that it is the same every time, and that nothing is exported which nobody could use.
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { openExport } from '@updraft/core/archive/export-file'
import { parseChannel, parsePlatform, parseProduct, parseReleaseVersion } from '@updraft/core/names'
import { type ExportRequest, exportRelease } from '../../publisher/src/export.ts'
import { openRepository } from '../../publisher/src/repository.ts'
import { pseudoText } from '../support/small-build.ts'
import { release } from './release.ts'
import { hoursAfter, NOW, openRepositoryWorkspace, type Workspace, writeTree } from './workspace.ts'

let workspace: Workspace

const request = (more: Partial<ExportRequest> = {}): ExportRequest => ({
  repository: workspace.repository,
  product: parseProduct('acme'),
  channel: parseChannel('stable'),
  patches: false,
  out: join(workspace.directory, 'x.tar'),
  ...more,
})
const exported = (more: Partial<ExportRequest> = {}) => exportRelease(request(more), { now: NOW })

beforeAll(async () => {
  workspace = await openRepositoryWorkspace()
  const text = pseudoText(60_000, 1)
  await writeTree(workspace.build, { 'text.txt': text })
  await release(workspace, { version: '1.0.0', platform: 'linux-x64' })
  await writeTree(workspace.build, { 'text.txt': text.replaceAll('a', 'b') })
  await release(workspace, { version: '1.1.0', platform: 'linux-x64' })
  await release(workspace, { version: '1.1.0', platform: 'win32-x64' })
  await release(workspace, { version: '2.0.0-rc.1', platform: 'linux-x64', channels: ['beta'] })
})
afterAll(async () => await workspace[Symbol.asyncDispose]())

describe('an export', () => {
  test('has the newest version of the channel for every platform, with the metadata that leads to it', async () => {
    expect(await exported()).toMatchObject({
      version: '1.1.0',
      platforms: ['linux-x64', 'win32-x64'],
      expires: { role: 'timestamp' },
    })
    await using file = await openExport(request().out)
    expect(file.names.map((name) => name.replace(/[0-9a-f]{64}/, '<sha256>'))).toEqual([
      'metadata/1.root.json',
      'metadata/timestamp.json',
      'metadata/5.snapshot.json',
      'metadata/1.targets.json',
      'metadata/5.acme.json',
      'targets/acme/1.1.0/<sha256>.linux-x64.index',
      'targets/acme/1.1.0/<sha256>.linux-x64.torrent',
      'bundles/acme_1.1.0_linux-x64/index',
      'bundles/acme_1.1.0_linux-x64/pack',
      'targets/acme/1.1.0/<sha256>.win32-x64.index',
      'targets/acme/1.1.0/<sha256>.win32-x64.torrent',
      'bundles/acme_1.1.0_win32-x64/index',
      'bundles/acme_1.1.0_win32-x64/pack',
    ])
    // Each is the file that the repository has under this name.
    for (const name of file.names) {
      expect((await file.read(name, 2 ** 30)).equals(await readFile(join(workspace.repository, name)))).toBe(true)
    }
  })

  test('is the same every time', async () => {
    await exported({ patches: true })
    const first = await readFile(request().out)
    await exported({ patches: true, out: join(workspace.directory, 'y.tar') })
    expect((await readFile(join(workspace.directory, 'y.tar'))).equals(first)).toBe(true)
  })

  test('has what is asked for: a version, a channel, a platform, patches', async () => {
    expect(await exported({ version: parseReleaseVersion('1.0.0') })).toMatchObject({ version: '1.0.0' })
    expect(await exported({ channel: parseChannel('beta') })).toMatchObject({ version: '2.0.0-rc.1' })
    const platforms = [parsePlatform('linux-x64')]
    expect(await exported({ platforms, patches: true })).toMatchObject({ platforms })
    await using file = await openExport(request().out)
    expect(
      file.names.filter((name) => name.includes('patch')).map((name) => name.replace(/^.*\.linux-x64\./, '')),
    ).toEqual([
      'index-patch',
      'patch.torrent',
      expect.stringMatching(/^bundles\/acme_1\.1\.0_linux-x64_from_[0-9a-f]{16}\/patch$/),
    ])
  })
})

test('of a release to which the same patch leads from two older ones can be opened', async () => {
  await using other = await openRepositoryWorkspace()
  for (const minor of [0, 1, 2, 3, 4]) {
    await writeTree(other.build, { 'stays.txt': pseudoText(40_000, 1), 'changes.txt': pseudoText(10_000, minor) })
    await release(other, { version: `1.${minor}.0` })
  }
  const { releases } = await openRepository(other.repository)
  const patches = releases.find(({ release: { version } }) => version === '1.4.0')?.release.indexPatches ?? []
  expect(new Set(patches.map(({ sha256 }) => sha256)).size).toBeLessThan(patches.length)
  const out = join(other.directory, 'x.tar')
  await exportRelease(request({ repository: other.repository, patches: true, out }), { now: NOW })
  await using file = await openExport(out)
  expect(new Set(file.names).size).toBe(file.names.length)
})

describe('nothing is exported', () => {
  const refused = async (more: Partial<ExportRequest>, now = NOW) => {
    const out = join(workspace.directory, 'refused.tar')
    const before = await readdir(workspace.directory)
    const error = await exportRelease(request({ out, ...more }), { now }).catch((reason: unknown) => reason)
    expect(await readdir(workspace.directory)).toEqual(before)
    return error
  }

  test('of what there is not', async () => {
    expect(await refused({ product: parseProduct('other') })).toMatchObject({ code: 'PRODUCT_UNKNOWN' })
    expect(await refused({ version: parseReleaseVersion('9.0.0') })).toMatchObject({ code: 'RELEASE_UNKNOWN' })
    expect(await refused({ channel: parseChannel('nightly') })).toMatchObject({ code: 'RELEASE_UNKNOWN' })
    expect(await refused({ platforms: [parsePlatform('darwin-arm64')] })).toMatchObject({ code: 'RELEASE_UNKNOWN' })
  })

  test('that could not be imported any more', async () => {
    expect(await refused({}, hoursAfter(NOW, 24 * 400))).toMatchObject({
      code: 'METADATA_EXPIRED',
      hint: expect.stringContaining('renew'),
    })
  })

  test('that is not what was signed', async () => {
    const pack = join(workspace.repository, 'bundles/acme_1.1.0_linux-x64/pack')
    for (const path of [pack, await targetOf('linux-x64.index'), await targetOf('linux-x64.torrent')]) {
      const whole = await readFile(path)
      const torn = Buffer.from(whole)
      torn[torn.length >> 1] = (torn[torn.length >> 1] ?? 0) ^ 1
      for (const other of [torn, whole.subarray(1), Buffer.concat([whole, whole])]) {
        await writeFile(path, other)
        expect(await refused({})).toMatchObject({ code: 'REPOSITORY_INVALID', message: expect.stringContaining(path) })
      }
      await writeFile(path, whole)
    }
  })
})

const targetOf = async (suffix: string): Promise<string> => {
  const folder = join(workspace.repository, 'targets/acme/1.1.0')
  const name = (await readdir(folder)).find((entry) => entry.endsWith(suffix) && entry.length === 65 + suffix.length)
  return join(folder, name ?? '')
}
