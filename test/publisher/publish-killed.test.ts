// A publisher that is killed (SIGKILL, no chance to clean up) at the beginning of any step leaves the repository as its
// clients saw it, and the next publish makes the release as if nothing had been.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { hasLeftovers } from '../../publisher/src/repository/sweep.ts'
import { openRepository } from '../../publisher/src/repository.ts'
import { release } from './release.ts'
import { fingerprintTree, openRepositoryWorkspace, type Workspace } from './workspace.ts'

const CHILD = join(import.meta.dirname, 'publish-killed-child.ts')

const publishUntil = async ({ directory }: Workspace, step: string): Promise<NodeJS.Signals | null> => {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', CHILD, directory, step], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const [, signal] = await once(child, 'exit')
  return signal
}

describe('publish killed', () => {
  test.each([
    'check',
    'sweep',
    'pack',
    'patch',
    'torrent',
    'sign',
    'bundle',
    'targets',
    'acme',
    'snapshot',
    'timestamp',
  ])('before %s', async (step) => {
    await using workspace = await openRepositoryWorkspace()
    await release(workspace, { version: '1.0.0' })
    const before = await fingerprintTree(workspace.repository)

    expect(await publishUntil(workspace, step)).toBe('SIGKILL')
    // Nothing that was there has changed; what is new is named by nothing that clients see.
    const left = await fingerprintTree(workspace.repository)
    expect(left).toMatchObject(before)
    // It is marked, so that a change that does not look through everything knows.
    if (Object.keys(left).length > Object.keys(before).length) {
      expect(await hasLeftovers(workspace.repository)).toBe(true)
    }
    const seen = await openRepository(workspace.repository)
    expect(seen.releases.map(({ release: { version } }) => version)).toEqual(['1.0.0'])

    await release(workspace, { version: '1.1.0' })
    const after = await fingerprintTree(workspace.repository)
    await using undisturbed = await openRepositoryWorkspace()
    await release(undisturbed, { version: '1.0.0' })
    await release(undisturbed, { version: '1.1.0' })
    expect(withoutHashes(after)).toEqual(withoutHashes(await fingerprintTree(undisturbed.repository)))
  })
})

/** The names of files, without the digests that random keys put into some. */
const withoutHashes = (tree: Readonly<Record<string, string>>): readonly string[] =>
  Object.keys(tree)
    .map((name) => name.replace(/[0-9a-f]{64,128}/, (hash) => `<${hash.length}>`))
    .sort()
