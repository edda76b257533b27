// A flipped bit in any one file of a repository never ends up installed. Real origin, real agents; one fresh agent a file.
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { digestOfTree } from '../../scripts/demo/build.ts'
import { openStage, type Stage } from '../../scripts/demo/stage.ts'
import { makeSmallBuild } from '../support/small-build.ts'

let directory: string
let stage: Stage
let digest: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ud-'))
  stage = await openStage({ directory: join(directory, 's'), product: 'acme' })
  const build = await makeSmallBuild(join(directory, 'build'))
  digest = await digestOfTree(build)
  await stage.init()
  await stage.publish(build, '1.0.0')
})

afterAll(async () => {
  await stage[Symbol.asyncDispose]()
  await rm(directory, { recursive: true, force: true })
})

/** Flips one bit in the middle of the file. */
const flip = async (path: string): Promise<void> => {
  const bytes = await readFile(path)
  const middle = bytes.length >> 1
  bytes[middle] = (bytes[middle] ?? 0) ^ 1
  await writeFile(path, bytes)
}

const filesOf = async (repository: string): Promise<readonly string[]> => {
  const entries = await readdir(repository, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(repository.length + 1))
    .filter((file) => /^(metadata|targets|bundles)\//.test(file))
    .sort()
}

/** What a fresh agent has after a look at a copy of the repository in which a bit of this file was flipped. */
const installedFrom = async (folder: string, file: string): Promise<string> => {
  await using copy = await openStage({ directory: folder, product: 'acme' })
  await cp(stage.repository, copy.repository, { recursive: true })
  await copy.startOrigin({ renew: false })
  const agent = await copy.agent('a')
  // After the start of the origin, so that it seeds what it has verified and the flip is the network's.
  await flip(join(copy.repository, file))
  const { exitCode, stderr } = await agent.run(['run', '--once'])
  const installed = await digestOfTree(agent.installedPath).catch(() => 'nothing')
  // What was not installed was refused for a reason: untrusted, or nobody had the pieces that were published.
  if (installed === 'nothing')
    expect({ file, exitCode, stderr, good: [6, 7].includes(exitCode) }).toMatchObject({ good: true })
  return installed === digest ? 'installed' : installed
}

describe('a flipped bit in one file of the repository', () => {
  test('is noticed in every file that an agent reads, and nothing wrong is installed', async () => {
    const files = await filesOf(stage.repository)
    expect(files.length).toBeGreaterThanOrEqual(9)
    // Each file is another repository's, and another agent's: a few at a time, since most of it is waiting.
    const outcomes: Record<string, string> = {}
    const waiting = [...files.entries()]
    const tamperSome = async (): Promise<void> => {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [number, file] = next
        outcomes[file] = await installedFrom(join(directory, `t${number}`), file)
      }
    }
    await Promise.all(Array.from({ length: 3 }, tamperSome))

    expect(new Set(Object.values(outcomes))).not.toContain('other')
    for (const [file, outcome] of Object.entries(outcomes))
      expect([file, ['installed', 'nothing'].includes(outcome)]).toEqual([file, true])
    // The description of the release and every role that leads to it were refused.
    const refused = Object.keys(outcomes).filter((file) => outcomes[file] === 'nothing')
    expect(refused).toEqual(
      expect.arrayContaining([expect.stringMatching(/timestamp\.json$/), expect.stringMatching(/\.index$/)]),
    )
  }, 600_000)
})
