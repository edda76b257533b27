// What publish refuses, and that the repository is afterwards, byte for byte, what it was.
import { execFileSync } from 'node:child_process'
import { statfsSync, writeFileSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { UpdateError } from '@updraft/core/errors'
import { fileKeys } from '../../publisher/src/keys/key-file.ts'
import type { PublishOptions } from '../../publisher/src/publish.ts'
import { renewRoles } from '../../publisher/src/renew.ts'
import { lockRepository } from '../../publisher/src/repository.ts'
import { describeWith, needsRoot } from '../support/needs.ts'
import { release, type TestRelease } from './release.ts'
import { fingerprintTree, hoursAfter, init, NOW, openRepositoryWorkspace, type Workspace } from './workspace.ts'

/** Expects publishing to fail with `code` and to change nothing in the repository and among the keys. */
const expectRefusal = async (
  workspace: Workspace,
  wanted: TestRelease,
  code: string,
  options: Partial<PublishOptions> = {},
) => {
  const before = [await fingerprintTree(workspace.repository), await fingerprintTree(workspace.keysDirectory)]
  await expect(release(workspace, wanted, options)).rejects.toMatchObject({ code })
  expect([await fingerprintTree(workspace.repository), await fingerprintTree(workspace.keysDirectory)]).toEqual(before)
}

const keyOf = async ({ keysDirectory }: Workspace, role: string): Promise<string> => {
  const name = (await readdir(keysDirectory)).find((file) => file.startsWith(`${role}-`))
  return join(keysDirectory, name ?? '')
}

describe('publish refuses', () => {
  test.each<[string, TestRelease, string, (workspace: Workspace) => unknown]>([
    ['a missing build', { version: '1.1.0' }, 'BUILD_MISSING', ({ build }) => rm(build, { recursive: true })],
    [
      'an empty build',
      { version: '1.1.0' },
      'BUILD_EMPTY',
      async ({ build }) => {
        await rm(build, { recursive: true })
        await mkdir(join(build, 'empty/folders'), { recursive: true })
      },
    ],
    [
      'a build with the repository in it',
      { version: '1.1.0' },
      'BUILD_UNSUPPORTED',
      async (workspace) => {
        await rm(workspace.build, { recursive: true })
        await symlink(workspace.directory, workspace.build)
      },
    ],
    [
      'a build inside of the keys',
      { version: '1.1.0' },
      'BUILD_UNSUPPORTED',
      async (workspace) => {
        await rm(workspace.build, { recursive: true })
        await symlink(workspace.keysDirectory, workspace.build)
      },
    ],
    ['a version that is there', { version: '1.0.0' }, 'VERSION_NOT_NEWER', () => {}],
    ['a version that is older', { version: '0.9.0' }, 'VERSION_NOT_NEWER', () => {}],
    ['an unknown product', { version: '1.1.0', product: 'other' }, 'PRODUCT_UNKNOWN', () => {}],
    [
      'a product whose key is gone',
      { version: '1.1.0' },
      'KEY_MISSING',
      async (workspace) => {
        await rm(await keyOf(workspace, 'acme'))
      },
    ],
    [
      'to go on without the timestamp key',
      { version: '1.1.0' },
      'KEY_MISSING',
      async (workspace) => {
        await rm(await keyOf(workspace, 'timestamp'))
      },
    ],
    ['notes that no agent would read', { version: '1.1.0', notes: 'x'.repeat(70_000) }, 'RELEASE_INVALID', () => {}],
    [
      'a repository that is none',
      { version: '1.1.0' },
      'REPOSITORY_INVALID',
      async ({ repository }) => {
        await rm(join(repository, 'repository.json'))
      },
    ],
    [
      'a repository without its metadata',
      { version: '1.1.0' },
      'REPOSITORY_INVALID',
      async ({ repository }) => {
        await rm(join(repository, 'metadata'), { recursive: true })
      },
    ],
    [
      'a damaged index of the previous release',
      { version: '1.1.0' },
      'REPOSITORY_INVALID',
      async ({ repository }) => {
        const folder = join(repository, 'targets/acme/1.0.0')
        for (const name of await readdir(folder)) {
          if (/^[0-9a-f]{64}\.any\.index$/.test(name)) await flipBit(join(folder, name), 40)
        }
      },
    ],
  ])('%s', async (_, wanted, code, arrange) => {
    await using workspace = await openRepositoryWorkspace()
    await release(workspace, { version: '1.0.0' })
    await arrange(workspace)
    await expectRefusal(workspace, wanted, code)
  })

  test('a wrong passphrase, and none', async () => {
    await using workspace = await openRepositoryWorkspace()
    await rm(workspace.repository, { recursive: true })
    await rm(workspace.keysDirectory, { recursive: true })
    await init(workspace, {}, 'the passphrase')
    const keysWith = (passphrase: string | undefined) => ({
      keys: fileKeys(workspace.keysDirectory, async () => passphrase),
    })
    await expectRefusal(workspace, { version: '1.0.0' }, 'PASSPHRASE_WRONG', keysWith('a wrong one'))
    await expectRefusal(workspace, { version: '1.0.0' }, 'PASSPHRASE_MISSING', keysWith(undefined))
    await release(workspace, { version: '1.0.0' }, keysWith('the passphrase'))
  })

  test('to run beside another one', async () => {
    await using workspace = await openRepositoryWorkspace()
    {
      using _lock = await lockRepository(workspace.repository)
      await expectRefusal(workspace, { version: '1.0.0' }, 'LOCKED')
    }
    await release(workspace, { version: '1.0.0' })
  })

  test('to sign under a root that its keys do not belong to', async () => {
    await using mine = await openRepositoryWorkspace()
    await using theirs = await openRepositoryWorkspace()
    await rm(mine.repository, { recursive: true })
    await rename(theirs.repository, mine.repository)
    await expectRefusal(mine, { version: '1.0.0' }, 'REPOSITORY_INVALID')
  })

  test('to add to a root that has expired', async () => {
    await using workspace = await openRepositoryWorkspace()
    await expectRefusal(workspace, { version: '1.0.0' }, 'METADATA_EXPIRED', { now: hoursAfter(NOW, 24 * 366) })
  })
})

const flipBit = async (file: string, at: number) => {
  const bytes = await readFile(file)
  const index = at % bytes.length
  bytes[index] = (bytes[index] ?? 0) ^ (1 << (at % 8))
  await writeFile(file, bytes)
}

describe('publish refuses damaged metadata', () => {
  // One repository for all: each test puts back what it damages.
  let workspace: Workspace
  beforeAll(async () => {
    workspace = await openRepositoryWorkspace()
    await release(workspace, { version: '1.0.0' })
    await renewRoles(workspace.repository, ['root', 'targets'], { keys: workspace.keys, now: NOW })
  })
  afterAll(async () => {
    await release(workspace, { version: '1.1.0' })
    await workspace[Symbol.asyncDispose]()
  })

  describe.each(['1.root.json', '2.root.json', 'timestamp.json', '3.snapshot.json', '2.targets.json', '2.acme.json'])(
    '%s',
    (name) => {
      const damaging = async (damage: (file: string, intact: Buffer) => Promise<void>) => {
        const file = join(workspace.repository, 'metadata', name)
        const intact = await readFile(file)
        await damage(file, intact)
        await expectRefusal(workspace, { version: '1.1.0' }, 'REPOSITORY_INVALID')
        await writeFile(file, intact)
      }

      test('with one bit flipped, wherever it is', async () => {
        const { size } = await stat(join(workspace.repository, 'metadata', name))
        for (let at = 0; at < size; at += 97) await damaging((file) => flipBit(file, at))
      })

      test('cut short, empty, or gone', async () => {
        await damaging((file, intact) => writeFile(file, intact.subarray(0, intact.length / 2)))
        await damaging((file) => writeFile(file, ''))
        // The newest root is the one that is there: without its file, an older one would be in force.
        if (name !== '2.root.json') await damaging((file) => rm(file))
      })
    },
  )
})

const STEPS = ['pack', 'torrent', 'sign', 'bundle', 'targets', 'acme', 'snapshot', 'timestamp'] as const

describe('publish that stops midway leaves everything as it was', () => {
  test.each(STEPS)('when it is interrupted before %s', async (step) => {
    await using workspace = await openRepositoryWorkspace()
    await release(workspace, { version: '1.0.0' })
    const onStep = (reached: string) => {
      if (reached === step) throw new UpdateError('ABORTED', 'stopped')
    }
    await expectRefusal(workspace, { version: '1.1.0' }, 'ABORTED', { onStep })
    expect(await readdir(workspace.repository)).not.toContain('.staging')
    await release(workspace, { version: '1.1.0' })
  })

  test.each(['pack', 'torrent'])('when its signal is aborted during %s', async (step) => {
    await using workspace = await openRepositoryWorkspace()
    const stop = new AbortController()
    const onStep = (reached: string) => {
      if (reached === step) stop.abort(new UpdateError('ABORTED', 'stopped'))
    }
    await expectRefusal(workspace, { version: '1.0.0' }, 'ABORTED', { onStep, signal: stop.signal })
  })
})

/** Moves the repository onto a file system of its own, of `sizeBytes` in memory, until it is disposed of. */
const mountRepository = async ({ repository }: Workspace, sizeBytes: number): Promise<Disposable> => {
  await rename(repository, `${repository}.before`)
  await mkdir(repository)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeBytes}`, 'tmpfs', repository])
  await cp(`${repository}.before`, repository, { recursive: true })
  return { [Symbol.dispose]: () => execFileSync('umount', [repository]) }
}

/** At once, so that nothing of the step that begins is written before. */
const fillDisk = (file: string) => {
  const { bavail, bsize } = statfsSync(dirname(file))
  writeFileSync(file, Buffer.alloc(bavail * bsize))
}

describeWith([needsRoot], 'publish on a file system of its own', () => {
  test.each(['pack', 'bundle', 'targets', 'acme', 'snapshot', 'timestamp'])(
    'refuses when the disk is full at %s, and leaves everything as it was',
    async (step) => {
      await using workspace = await openRepositoryWorkspace()
      await release(workspace, { version: '1.0.0' })
      using _mounted = await mountRepository(workspace, 4 * 1024 * 1024)
      const before = await fingerprintTree(workspace.repository)
      const filler = join(workspace.repository, 'filler')
      const onStep = (reached: string) => {
        if (reached === step) fillDisk(filler)
      }
      await expect(release(workspace, { version: '1.1.0' }, { onStep })).rejects.toMatchObject({ code: 'DISK_FULL' })
      await rm(filler)
      expect(await fingerprintTree(workspace.repository)).toEqual(before)
      await release(workspace, { version: '1.1.0' })
    },
  )

  test('refuses one that is read-only', async () => {
    await using workspace = await openRepositoryWorkspace()
    using _mounted = await mountRepository(workspace, 4 * 1024 * 1024)
    execFileSync('mount', ['-o', 'remount,ro', workspace.repository])
    await expectRefusal(workspace, { version: '1.0.0' }, 'PERMISSION')
  })
})
