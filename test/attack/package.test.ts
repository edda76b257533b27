// Attacks by what a release or a carried file contains besides regular files: kinds that nobody should install, with the rights that
// nobody should get.
import { chmodSync, linkSync, lstatSync, writeFileSync } from 'node:fs'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { TAR_END } from '@updraft/core/archive/tar'
import { encodeIndex, foldIndex, unfoldIndex } from '@updraft/core/bundle/index-file'
import { runProgram } from '../../scripts/demo/program.ts'
import { release } from '../publisher/release.ts'
import { openRepositoryWorkspace, type Workspace } from '../publisher/workspace.ts'
import { archiveOf, blocksOf, type Entry, sumsOf } from '../support/archives.ts'
import { attackTest } from '../support/attack-row.ts'
import { entriesOf, exportedFrom } from '../support/importing.ts'
import { makeSmallBuild } from '../support/small-build.ts'
import type { ForgedBundle } from './hostile-origin.ts'
import { expectRefused, openScene } from './scene.ts'
import { openVictim, type Victim } from './victim.ts'

const TAMPERED = { exitCode: 6, error: 'BUNDLE_INVALID', finding: 'bundle-tampered' }

/** Where the index says of its first plain file that it is one: the only byte that differs if it could be run. */
const withKind =
  (kind: number) =>
  ({ index, pack }: ForgedBundle): ForgedBundle => {
    const at = index.files.findIndex((entry) => entry.kind === 'file' && !entry.executable)
    const files = index.files.map((entry, row) => (row === at ? { ...entry, executable: true } : entry))
    const [plain, runnable] = [index, { ...index, files }].map((each) => unfoldIndex(encodeIndex(each)))
    if (plain === undefined || runnable === undefined) throw new Error('the build has no plain file')
    const place = plain.findIndex((byte, row) => byte !== runnable[row])
    expect([plain[place], runnable[place]]).toEqual([0, 1])
    plain[place] = kind
    return { index, pack, indexBytes: foldIndex(plain) }
  }

attackTest('device file', 'the signed index names an entry of a kind that there is not', async (saw) => {
  await using scene = await openScene({ first: { bend: withKind(4) } })
  const look = saw(await scene.victim.look())
  expectRefused(look, TAMPERED)
  expect(look.files).toEqual([])
  // The byte is the right one: with the kind of a program in it, the release is installed.
  await scene.release('1.1.0', { bend: withKind(1) })
  expect(saw(await scene.victim.look())).toMatchObject({ exitCode: 0, installed: '1.1.0' })
})

attackTest(
  'setuid bits',
  'the build has set-uid and set-gid programs, and one that everybody may write',
  async (saw) => {
    await using scene = await openScene({ first: null })
    const build = await makeSmallBuild(join(scene.directory, 'with-rights'))
    const rights: Readonly<Record<string, number>> = { setuid: 0o4755, setgid: 0o2755, open: 0o777 }
    for (const [name, mode] of Object.entries(rights)) {
      writeFileSync(join(build, name), `#!/bin/sh\n# ${name}\n`)
      chmodSync(join(build, name), mode)
    }
    await scene.release('1.0.0', { build })
    const look = saw(await scene.victim.look())
    expect(look).toMatchObject({ exitCode: 0, installed: '1.0.0' })
    for (const name of Object.keys(rights)) {
      expect(lstatSync(join(scene.victim.home, 'products/acme/current', name)).mode & 0o7777).toBe(0o755)
    }
  },
)

attackTest('hard link', 'two names of the build are one file', async (saw) => {
  await using scene = await openScene({ first: null })
  const build = await makeSmallBuild(join(scene.directory, 'with-link'))
  linkSync(join(build, 'lib/stays.txt'), join(build, 'lib/same.txt'))
  await scene.release('1.0.0', { build })
  expect(saw(await scene.victim.look())).toMatchObject({ exitCode: 0, installed: '1.0.0' })
  const inodes = ['lib/stays.txt', 'lib/same.txt'].map(
    (name) => lstatSync(join(scene.victim.home, 'products/acme/current', name)).ino,
  )
  expect(inodes[0]).not.toBe(inodes[1])
})

let workspace: Workspace
let victim: Victim
let entries: readonly Entry[]

beforeAll(async () => {
  workspace = await openRepositoryWorkspace()
  await release(workspace, { version: '1.0.0' }, { now: new Date() })
  await exportedFrom(workspace)
  entries = await entriesOf(join(workspace.directory, 'exported.tar'))
  const root = entries.find(({ name }) => name === 'metadata/1.root.json')?.bytes ?? Buffer.alloc(0)
  victim = await openVictim({ urls: ['http://127.0.0.1:9/'], root })
})
afterAll(async () => {
  await victim[Symbol.asyncDispose]()
  await workspace[Symbol.asyncDispose]()
})

const withFirst = (change: (header: Buffer) => void): Buffer => {
  const [first, ...rest] = entries
  if (first === undefined) throw new Error('the export is empty')
  return Buffer.concat([
    blocksOf(first, change),
    ...[...rest, sumsOf(entries)].map((entry) => blocksOf(entry)),
    TAR_END,
  ])
}

const CARRIED: readonly [attack: string, tried: string, bytes: () => Buffer][] = [
  ['carried file', 'a hard link in place of a file', () => withFirst((header) => header.write('1', 156))],
  [
    'carried file',
    'a symbolic link in place of a file',
    () => withFirst((header) => header.write('2/etc/passwd', 156)),
  ],
  ['carried file', 'a device in place of a file', () => withFirst((header) => header.write('3', 156))],
  ['carried file', 'a set-uid file', () => withFirst((header) => header.write('0004755', 100))],
  [
    'carried file',
    'a file beside the tree, with sums that fit',
    () => archiveOf([...entries, { name: '../escaped', bytes: Buffer.from('x') }]),
  ],
]

for (const [attack, tried, bytes] of CARRIED) {
  attackTest(attack, tried, async (saw) => {
    const file = join(workspace.directory, 'carried.tar')
    await writeFile(file, bytes())
    const { environment, home } = victim
    const { exitCode, stdout } = await runProgram('updraft-agent', ['import', file, '--json'], { environment })
    const { error } = JSON.parse(stdout) as { readonly error?: { readonly code: string } }
    const left = await Promise.all(
      ['products', 'bundles', 'staging'].map((folder) => readdir(join(home, folder)).catch((): string[] => [])),
    )
    saw({ did: `import: exit ${exitCode}, ${error?.code}`, left: left.flat().join(', ') || 'nothing' })
    expect({ exitCode, code: error?.code, left: left.flat() }).toEqual({
      exitCode: 6,
      code: 'EXPORT_INVALID',
      left: [],
    })
    expect((await readdir(join(home, '..'))).sort()).toEqual(['h'])
  })
}

test('the file that these were made of is imported', async () => {
  const { environment } = victim
  const file = join(workspace.directory, 'exported.tar')
  const { exitCode, stdout } = await runProgram('updraft-agent', ['import', file], { environment })
  expect({ exitCode, stdout }).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('installed acme 1.0.0') })
})
