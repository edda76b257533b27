// Builds that are dropped into a folder: published once and only when whole, whatever else lies there, and however it ends.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFile, mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, test } from '@jest/globals'
import { buildNames } from '../../publisher/src/builds/build-name.ts'
import { openRepository } from '../../publisher/src/repository.ts'
import { runToEnd } from '../support/programs.ts'
import { untilTrue } from './origin-support.ts'
import { openWorkspace, type Workspace, writeTree } from './workspace.ts'

const PROGRAM = join(import.meta.dirname, '../../publisher/bin/updraft-publisher.mjs')

describe('names', () => {
  test.each([
    ['{version}', '1.4.0-rc.1', { version: '1.4.0-rc.1', platform: undefined }],
    ['acme-{version}-{platform}', 'acme-1.4.0-rc.1-linux-x64', { version: '1.4.0-rc.1', platform: 'linux-x64' }],
    ['acme-{version}-{platform}.exe', 'acme-2.0.0-win32-x64.exe', { version: '2.0.0', platform: 'win32-x64' }],
    ['a.c_{version}', 'abc_1.0.0', undefined],
  ])('%s reads %s', (pattern, name, expected) => {
    expect(buildNames(pattern)(name)).toEqual(expected)
  })

  test.each(['acme', '{version}{version}', '{version}-{os}'])('%s is no pattern', (pattern) => {
    expect(() => buildNames(pattern)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })

  test('a name in which something else stands for the version is refused', () => {
    expect(() => buildNames('{version}')('v1.4')).toThrow(expect.objectContaining({ code: 'VERSION_INVALID' }))
  })
})

interface Scene extends AsyncDisposable {
  readonly workspace: Workspace
  readonly builds: string
}

/** The program reads the real clock, so metadata has to be of today. */
const openScene = async (): Promise<Scene> => {
  const workspace = await openWorkspace()
  const builds = join(workspace.directory, 'builds')
  await mkdir(builds)
  const made = await runToEnd(PROGRAM, ['init', workspace.repository, '--product', 'acme', '--no-passphrase'])
  expect(made.code).toBe(0)
  return { workspace, builds, [Symbol.asyncDispose]: () => workspace[Symbol.asyncDispose]() }
}

const argumentsOf = ({ workspace, builds }: Scene, ...more: string[]): readonly string[] => [
  'watch',
  builds,
  '--repo',
  workspace.repository,
  '--product',
  'acme',
  '--json',
  ...more,
]

const versionsIn = async ({ workspace }: Scene): Promise<readonly string[]> =>
  (await openRepository(workspace.repository)).releases.map(({ release }) => release.version)

test('--once publishes what is there, the lower version first; the rest is told, and asking again publishes nothing', async () => {
  await using scene = await openScene()
  for (const version of ['1.10.0', '1.9.0']) {
    await writeTree(join(scene.builds, version), { 'bin/acme': `the program ${version}` })
  }
  await mkdir(join(scene.builds, '2.0.0')) // Empty.
  await writeFile(join(scene.builds, 'notes.txt'), 'not a build')
  await mkdir(join(scene.builds, '.1.11.0.partial'))
  const first = await runToEnd(PROGRAM, argumentsOf(scene, '--once', '--stable', '1'))
  expect(first.code).toBe(3)
  const events = first.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect(events.map(({ event, version, code }) => [event, version ?? code])).toEqual([
    ['refused', 'VERSION_INVALID'],
    ['published', '1.9.0'],
    ['published', '1.10.0'],
    ['refused', 'BUILD_EMPTY'],
  ])
  await rm(join(scene.builds, '2.0.0'), { recursive: true })
  await rm(join(scene.builds, 'notes.txt'))
  expect(await runToEnd(PROGRAM, argumentsOf(scene, '--once', '--stable', '1'))).toEqual({
    code: 0,
    stdout: '',
    stderr: '',
  })
  expect(await versionsIn(scene)).toEqual(['1.9.0', '1.10.0'])
})

test('a build that is still being copied is not published before it rests, and one with a marker not before that is there', async () => {
  await using scene = await openScene()
  const child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', PROGRAM, ...argumentsOf(scene, '--stable', '2')],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  const events: Record<string, unknown>[] = []
  createInterface({ input: child.stdout }).on('line', (line) => events.push(JSON.parse(line)))
  try {
    const build = join(scene.builds, '1.0.0')
    await writeTree(build, { first: 'the beginning' })
    // Written to far more often than it would have to rest, so that it does not on a busy machine either.
    for (let part = 0; part < 40; part += 1) {
      await delay(100)
      await appendFile(join(build, 'second'), `part ${part}\n`)
      expect(events).toEqual([])
    }
    await untilTrue(() => events.length === 1, 60_000)
    expect(events[0]).toMatchObject({ event: 'published', version: '1.0.0', sizes: { files: 2 } })

    // A refusal does not end it, and the same build mended is taken.
    await mkdir(join(scene.builds, '1.1.0'))
    await untilTrue(() => events.length === 2, 60_000)
    expect(events[1]).toMatchObject({ event: 'refused', code: 'BUILD_EMPTY' })
    await writeTree(join(scene.workspace.directory, 'elsewhere'), { only: 'moved in with one rename' })
    await rm(join(scene.builds, '1.1.0'), { recursive: true })
    await rename(join(scene.workspace.directory, 'elsewhere'), join(scene.builds, '1.1.0'))
    await untilTrue(() => events.length === 3, 60_000)
    expect(events[2]).toMatchObject({ event: 'published', version: '1.1.0' })
  } finally {
    child.kill('SIGTERM')
    const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode]
    expect(code).toBe(0)
  }

  await writeTree(join(scene.builds, '1.2.0'), { only: 'with a marker' })
  const marked = argumentsOf(scene, '--once', '--stable', '1', '--marker', '.done')
  expect((await runToEnd(PROGRAM, marked)).stdout).toBe('')
  await writeFile(join(scene.builds, '1.2.0.done'), '')
  expect(JSON.parse((await runToEnd(PROGRAM, marked)).stdout)).toMatchObject({ event: 'published', version: '1.2.0' })
})

test('what cannot be used is refused before anything is waited for', async () => {
  await using scene = await openScene()
  expect((await runToEnd(PROGRAM, argumentsOf(scene, '--once', '--pattern', 'acme'))).code).toBe(2)
  expect((await runToEnd(PROGRAM, argumentsOf(scene, '--once', '--rollout', '200%'))).code).toBe(2)
  await rm(scene.builds, { recursive: true })
  const gone = await runToEnd(PROGRAM, argumentsOf(scene, '--once'))
  expect(gone.code).toBe(3)
  expect(gone.stdout).toContain('BUILD_MISSING') // With --json, failures are JSON as well.
})
