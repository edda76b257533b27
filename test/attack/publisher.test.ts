// Attacks on the publisher's side, with its real program: what somebody does to a ceremony file between two people, and the worst that
// stolen online keys can do to machines, and who finds it.
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from '@jest/globals'
import { keyIdOf } from '@updraft/core/trust/keys'
import type { TufKeys } from '@updraft/core/trust/metadata'
import { fileKeys } from '../../publisher/src/keys/key-file.ts'
import { renewRoles } from '../../publisher/src/renew.ts'
import { parseRepositorySettings } from '../../publisher/src/repository-settings.ts'
import { publisherJson, runPublisher } from '../publisher/program.ts'
import { release } from '../publisher/release.ts'
import { fingerprintTree, init, openWorkspace, type Workspace, writeTree } from '../publisher/workspace.ts'
import { attackTest } from '../support/attack-row.ts'
import { ed25519Key, type Loose } from '../support/repository-simulator.ts'
import { serveHostile } from './hostile-origin.ts'
import { openVictim } from './victim.ts'

/** Puts the key of a thief everywhere where that of `honest` stands. */
const withKeyOf = (text: string, honest: string): { readonly text: string; readonly thief: string } => {
  const { key, keyId: thief } = ed25519Key()
  const file = JSON.parse(text.replaceAll(honest, thief)) as Loose
  const keys = file.documents.targets.signed.delegations.keys as Record<string, TufKeys[string]>
  keys[thief] = key
  expect(keyIdOf(key)).toBe(thief)
  return { text: JSON.stringify(file), thief }
}

attackTest(
  'altered ceremony file',
  'a thief puts a key in the place of a colleague’s, before and after one has signed',
  async (saw) => {
    await using workspace = await openWorkspace()
    const { directory, repository, keysDirectory } = workspace
    await init(workspace, {}, undefined, new Date())
    const bob = await publisherJson<{ keyId: string; path: string }>(directory, [
      ...['keys', 'generate', 'bob', '--keys', 'bob-pc', '--no-passphrase'],
    ])
    const inDirectory = (name: string) => join(directory, name)
    const change = ['rotate', 'acme', '--add-key', bob.path.replace(/pem$/, 'pub')]
    await publisherJson(directory, ['sign', 'prepare', ...change, '--repo', 'r', '--out', 'honest.json'])
    const before = await fingerprintTree(repository)

    // Before anyone has signed, the file is another request: whose key it adds is computed from what would be signed.
    const early = withKeyOf(await readFile(inDirectory('honest.json'), 'utf8'), bob.keyId)
    await writeFile(inDirectory('early.json'), early.text)
    const { stdout: review } = await runPublisher(directory, ['sign', 'review', 'early.json'])
    expect(review).toContain(`acme: the key ${early.thief.slice(0, 8)}`)
    expect(review).not.toContain(bob.keyId.slice(0, 8))
    saw({ did: 'review: names the key that is added', left: 'the repository as it was' })

    await publisherJson(directory, ['sign', 'add', 'honest.json', '--keys', keysDirectory, '--yes'])
    await writeFile(
      inDirectory('late.json'),
      withKeyOf(await readFile(inDirectory('honest.json'), 'utf8'), bob.keyId).text,
    )
    for (const step of [
      ['review', 'late.json'],
      ['add', 'late.json', '--keys', keysDirectory, '--yes'],
      ['finish', 'late.json', '--repo', 'r'],
    ]) {
      const { code, stderr } = await runPublisher(directory, ['sign', ...step])
      saw({ did: `${step[0]}: exit ${code}`, left: 'the repository as it was' })
      expect({ code, stderr }).toMatchObject({
        code: 6,
        stderr: expect.stringContaining('altered or damaged on its way'),
      })
    }
    expect(await fingerprintTree(repository)).toEqual(before)
    expect((await readdir(directory)).filter((name) => name.endsWith('.tmp'))).toEqual([])
    // What was not altered goes through.
    await publisherJson(directory, ['sign', 'finish', 'honest.json', '--repo', 'r'])
  },
)

attackTest('stolen online keys', 'they sign the old state anew for ever, so that a fix never appears', async (saw) => {
  await using workspace = await openWorkspace()
  await using origin = await serveHostile(new Map())
  const { repository } = workspace
  await init(workspace, { settings: parseRepositorySettings({ url: origin.url }, 'test') }, undefined, new Date())
  await publish(workspace, '1.0.0')
  origin.files = await filesOf(repository)
  const root = await readFile(join(repository, 'metadata/1.root.json'))
  await using victim = await openVictim({ urls: [origin.url], root })
  expect(saw(await victim.look())).toMatchObject({ exitCode: 0, installed: '1.0.0', findings: [] })

  await using thief = await copyFor(workspace)
  await publish(workspace, '1.1.0')
  for (let times = 0; times < 3; times += 1) {
    await renewRoles(thief.repository, ['snapshot', 'timestamp'], { keys: thief.keys, now: new Date() })
  }
  origin.files = await filesOf(thief.repository)
  // The machine cannot know of what nobody shows it: it keeps what it has, and installs nothing of the thief's.
  expect(saw(await victim.look())).toMatchObject({ exitCode: 0, installed: '1.0.0', findings: [] })
  // Who publishes sees that the world is shown another timestamp than theirs.
  const { code, stdout } = await runPublisher(workspace.directory, ['doctor', 'r', '--json'])
  const { checks } = JSON.parse(stdout) as {
    readonly checks: readonly { readonly code: string; readonly level: string; readonly detail: string }[]
  }
  const found = checks.filter((check) => check.level === 'error' && check.code === 'source')
  saw({ did: `doctor: exit ${code}, ${found.map((check) => check.code).join()}`, left: '1.0.0 runs' })
  expect({ code, found }).toMatchObject({ code: 7, found: [{ detail: expect.stringContaining('timestamp') }] })

  // New online keys, which take root's: the versions that the thief jumped to count no more.
  for (const role of ['snapshot', 'timestamp']) {
    await publisherJson(workspace.directory, ['rotate', role, '--new', '--no-passphrase', '--repo', 'r'])
  }
  origin.files = await filesOf(repository)
  expect(saw(await victim.look())).toMatchObject({ exitCode: 0, installed: '1.1.0', findings: [] })
})

const publish = async (workspace: Workspace, version: string): Promise<void> => {
  await writeTree(workspace.build, { 'bin/acme': `the program ${version}`.repeat(500) })
  await release(workspace, { version }, { now: new Date() })
}

/** What a thief has: all that is public, and the keys of the machine that serves it. */
const copyFor = async ({ repository, keysDirectory }: Workspace) => {
  const directory = await mkdtemp(join(tmpdir(), 'updraft-thief-'))
  const [copy, keys] = [join(directory, 'r'), join(directory, 'keys')]
  await cp(repository, copy, { recursive: true })
  await mkdir(keys)
  for (const name of await readdir(keysDirectory)) {
    if (/^(snapshot|timestamp)-/.test(name)) await cp(join(keysDirectory, name), join(keys, name))
  }
  return {
    repository: copy,
    keys: fileKeys(keys, async () => undefined),
    [Symbol.asyncDispose]: () => rm(directory, { recursive: true, force: true }),
  }
}

const filesOf = async (repository: string): Promise<ReadonlyMap<string, Buffer>> => {
  const entries = await readdir(repository, { recursive: true, withFileTypes: true })
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  return new Map(
    await Promise.all(files.map(async (file) => [file.slice(repository.length + 1), await readFile(file)] as const)),
  )
}
