// Looking at releases through the real program: list, show, diff and notes; what is asked for and is not there.
import { randomBytes } from 'node:crypto'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { parseMetainfo } from '@updraft/core/swarm/metainfo'
import { parseRollout } from '../../publisher/src/amend/rollout.ts'
import { openRepository } from '../../publisher/src/repository.ts'
import { type Ended, runToEnd } from '../support/programs.ts'
import { release } from './release.ts'
import { fingerprintTree, NOW, openRepositoryWorkspace, type Workspace, writeTree } from './workspace.ts'

const PROGRAM = join(import.meta.dirname, '../../publisher/bin/updraft-publisher.mjs')

let workspace: Workspace

const run = (...args: string[]): Promise<Ended> => runToEnd(PROGRAM, [...args, '--repo', workspace.repository])
const runJson = async (...args: string[]) => {
  const { code, stdout, stderr } = await run(...args, '--json')
  expect([code, stderr]).toEqual([0, ''])
  return JSON.parse(stdout)
}

/** Cannot be compressed, so that what is fetched can be told from what is not. */
const NOISE = randomBytes(300_000)

beforeAll(async () => {
  workspace = await openRepositoryWorkspace()
  await writeTree(workspace.build, {
    'data/noise': NOISE,
    'old name.txt': 'this file is only moved\n',
    'gone.txt': 'gone',
  })
  await release(workspace, { version: '1.0.0', notes: 'The first one.\n' })
  await writeTree(workspace.build, {
    'data/noise': Buffer.concat([NOISE, Buffer.from('a little more')]),
    'new name.txt': 'this file is only moved\n',
    'added.bin': randomBytes(5_000),
  })
  await rm(join(workspace.build, 'old name.txt'))
  await rm(join(workspace.build, 'gone.txt'))
  await release(workspace, { version: '1.1.0', rollout: parseRollout(['10%', '100%@3000-01-01T00:00:00Z'], NOW) })
  await release(workspace, { version: '2.0.0', channels: ['beta'], platform: 'linux-x64' })
})
afterAll(async () => {
  await workspace[Symbol.asyncDispose]()
})

describe('list', () => {
  test('the newest comes first, with who is offered it', async () => {
    const { stdout } = await run('list')
    const rows = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(/ {2,}/))
    expect(rows[0]).toEqual(['product', 'version', 'platform', 'channels', 'published', 'offered to', 'pack'])
    expect(
      rows
        .slice(1)
        .map(([product, version, platform, channels, , offered]) => [product, version, platform, channels, offered]),
    ).toEqual([
      ['acme', '2.0.0', 'linux-x64', 'beta', 'all machines'],
      ['acme', '1.1.0', 'any', 'stable', '10 %'],
      ['acme', '1.0.0', 'any', 'stable', 'all machines'],
    ])
  })

  test('a product and a channel narrow it; an unknown product is told with those that there are', async () => {
    expect(await runJson('list', 'acme', '--channel', 'beta')).toMatchObject([{ version: '2.0.0', channels: ['beta'] }])
    expect(await runJson('list', '--channel', 'nightly')).toEqual([])
    const unknown = await run('list', 'zeta')
    expect(unknown).toMatchObject({ code: 3, stdout: '' })
    expect(unknown.stderr).toContain('has no product zeta; it has acme')
  })
})

describe('show', () => {
  test('tells what is signed, and a magnet link of the infohash', async () => {
    const [shown] = await runJson('show', 'acme', '1.1.0')
    const { infoHash } = parseMetainfo(await readFile(shown.metainfo.file))
    expect(shown.magnet).toContain(`magnet:?xt=urn:btih:${infoHash}&dn=acme_1.1.0_any`)
    expect(shown.patchedFrom).toEqual([{ version: '1.0.0', lengthBytes: expect.any(Number) }])
    expect(shown.signedBy).toMatchObject({ threshold: 1, keyIds: [expect.stringMatching(/^[0-9a-f]{64}$/)] })

    const { stdout } = await run('show', 'acme', '1.0.0')
    expect(stdout).toContain('acme 1.0.0 (any)\n  offered    on stable; for all machines\n')
    expect(stdout).toContain(`\n\nThe first one.\n`)
  })

  test('a release that there is not is told with those that there are', async () => {
    const outcome = await run('show', 'acme', '9.9.9')
    expect(outcome).toMatchObject({ code: 3, stdout: '' })
    expect(outcome.stderr).toMatch(/no release acme 9\.9\.9[\s\S]*1\.0\.0 \(any\), 1\.1\.0 \(any\)/)
  })
})

describe('diff', () => {
  test('tells files by what happened to them, and the bytes of the cheapest way', async () => {
    const [difference] = await runJson('diff', 'acme', '1.0.0', '1.1.0')
    expect(difference.files.map(({ kind, path, from }: Record<string, string>) => [kind, path, from])).toEqual([
      ['added', 'added.bin', undefined],
      ['changed', 'data/noise', undefined],
      ['removed', 'gone.txt', undefined],
      ['moved', 'new name.txt', 'old name.txt'],
    ])
    const [newer] = (await openRepository(workspace.repository)).releases.filter(
      (each) => each.release.version === '1.1.0',
    )
    const patch = newer?.release.patches?.[0]
    expect(difference.update).toMatchObject({
      way: 'patch',
      content: (patch?.lengthBytes ?? 0) + (patch?.metainfo.lengthBytes ?? 0),
      metainfo: newer?.metainfo.lengthBytes,
    })
    expect(difference.update.content).toBeLessThan(10_000)
    expect(difference.update.total).toBe(
      difference.update.index + difference.update.metainfo + difference.update.content,
    )
  })

  test('the way back costs no content: the newer pack holds the older frame as a base', async () => {
    const [back] = await runJson('diff', 'acme', '1.1.0', '1.0.0')
    expect(back.update).toMatchObject({ way: 'nothing', content: 0 })
    expect(back.files.map(({ kind }: { kind: string }) => kind)).toEqual(['removed', 'changed', 'added', 'moved'])
    const [same] = await runJson('diff', 'acme', '1.0.0', '1.0.0')
    expect(same.files).toEqual([])
  })

  test('releases of different platforms cannot be compared', async () => {
    const outcome = await run('diff', 'acme', '1.1.0', '2.0.0')
    expect(outcome.code).toBe(3)
    expect(outcome.stderr).toContain('1.1.0 is for any, and 2.0.0 for linux-x64')
  })

  test('an index that is not what was signed is called damaged', async () => {
    const [shown] = await runJson('show', 'acme', '2.0.0')
    const whole = await readFile(shown.index.file)
    await writeFile(shown.index.file, Buffer.concat([whole.subarray(1), Buffer.from('x')]))
    const outcome = await run('diff', 'acme', '2.0.0', '2.0.0')
    await writeFile(shown.index.file, whole)
    expect(outcome.code).toBe(3)
    expect(outcome.stderr).toContain('is damaged: it is not what was signed')
  })
})

describe('notes', () => {
  test('are shown, signed anew and taken away, and no byte of a bundle moves', async () => {
    expect((await run('notes', 'acme', '1.0.0')).stdout).toBe('The first one.\n')
    const bundles = join(workspace.repository, 'bundles')
    const before = await fingerprintTree(bundles)
    const file = join(workspace.directory, 'NOTES.md')
    await writeFile(file, '# New\nIt is quicker.\n')
    expect((await run('notes', 'acme', '1.0.0', file)).stdout).toContain('acme 1.0.0: signed anew')
    expect((await run('notes', 'acme', '1.0.0')).stdout).toBe('# New\nIt is quicker.\n')
    expect((await run('notes', 'acme', '1.0.0', '--remove')).code).toBe(0)
    expect(await runJson('notes', 'acme', '1.0.0')).toEqual([{ platform: 'any', notes: null }])
    expect(await fingerprintTree(bundles)).toEqual(before)
  })

  test('a mistyped file name and two wishes at once are refused', async () => {
    expect((await run('notes', 'acme', '1.0.0', 'CHANGE.md')).code).toBe(2)
    expect((await run('notes', 'acme', '1.0.0', 'two words', '--remove')).code).toBe(2)
  })
})
