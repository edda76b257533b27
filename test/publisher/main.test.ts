// The program as people and scripts meet it: exit codes, one JSON object, help, and what it says when it is refused.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { EXIT_CODES } from '@updraft/core/errors'
import { publisherProgram } from '../../publisher/src/program.ts'
import { openRepository } from '../../publisher/src/repository.ts'
import { PUBLISHER, runPublisher } from './program.ts'
import { fingerprintTree, openWorkspace, type Workspace, writeTree } from './workspace.ts'

const run = ({ directory }: Workspace, args: readonly string[], environment = {}) =>
  runPublisher(directory, args, environment)

const INIT = ['init', 'r', '--product', 'acme', '--no-passphrase']
const PUBLISH = ['publish', 'build', '--repo', 'r', '--product', 'acme', '--version', '1.0.0']

describe('the main path', () => {
  test('init, publish, product add and renew say what they did and what comes next', async () => {
    await using workspace = await openWorkspace()
    await writeTree(workspace.build, { 'bin/acme': 'the program' })
    const made = await run(workspace, INIT)
    expect(made).toMatchObject({ code: 0, stderr: '' })
    expect(made.stdout).toMatch(/sha256:[0-9a-f]{64}\n( {2}([0-9a-f]{4} ?){8}\n){2}/)
    expect(made.stdout).toMatch(/root-[0-9a-f]{8}\.pem +move it offline/)
    expect(made.stdout).toContain('NOT encrypted')

    const published = await run(workspace, PUBLISH)
    expect(published.code).toBe(0)
    expect(published.stdout).toContain('published acme 1.0.0 (any) on stable')
    expect(published.stderr).toMatch(/step pack\n[\s\S]*step timestamp\n/)

    expect((await run(workspace, ['product', 'add', 'zeta', '--repo', 'r', '--no-passphrase'])).code).toBe(0)
    expect((await run(workspace, ['renew', 'r'])).stdout).toContain('nothing was due')
    expect((await run(workspace, ['renew', 'r', '--role', 'root'])).stdout).toContain(
      'renewed root, snapshot, timestamp',
    )
    expect((await openRepository(workspace.repository)).products).toEqual(['acme', 'zeta'])
  })

  test('--json prints one object and nothing else, also of a failure', async () => {
    await using workspace = await openWorkspace()
    await writeTree(workspace.build, { 'bin/acme': 'the program' })
    const made = await run(workspace, [...INIT, '--json'])
    expect(JSON.parse(made.stdout)).toMatchObject({ fingerprint: expect.stringMatching(/^sha256:/) })
    const published = await run(workspace, [...PUBLISH, '--json'])
    expect(published.stderr).toBe('')
    expect(JSON.parse(published.stdout)).toMatchObject({
      product: 'acme',
      version: '1.0.0',
      infoHash: expect.stringMatching(/^[0-9a-f]{40}$/),
      metadataVersions: { acme: 2, timestamp: 2 },
    })
    const refused = await run(workspace, [...PUBLISH, '--json'])
    expect(refused).toMatchObject({ code: 4, stderr: '' })
    expect(JSON.parse(refused.stdout)).toMatchObject({ error: { code: 'VERSION_NOT_NEWER' } })
  })

  test('encrypted keys open with UPDRAFT_PASSPHRASE, and UPDRAFT_KEYS says where they are', async () => {
    await using workspace = await openWorkspace()
    await writeTree(workspace.build, { 'bin/acme': 'the program' })
    const environment = { UPDRAFT_PASSPHRASE: 'a phrase', UPDRAFT_KEYS: join(workspace.directory, 'safe') }
    const made = await run(workspace, ['init', 'r', '--product', 'acme'], environment)
    expect(made.stdout).toContain(', encrypted')
    expect(await readdir(workspace.directory)).toEqual(['build', 'r', 'safe'])
    expect(await run(workspace, PUBLISH)).toMatchObject({ code: 5, stderr: expect.stringContaining('KEY') })
    expect((await run(workspace, PUBLISH, environment)).code).toBe(0)
  })
})

describe('what cannot be done', () => {
  test.concurrent.each<[string, readonly string[], number, RegExp]>([
    ['no command', [], 2, /Usage: updraft-publisher/],
    ['an unknown command', ['publihs'], 2, /unknown command 'publihs'[\s\S]*Did you mean publish/],
    ['an option left out', ['publish', 'build', '--repo', 'r'], 2, /--product <name>/],
    ['a version that is none', [...PUBLISH.slice(0, -1), 'v1'], 2, /version "v1" is not a semver version\n {2}hint: /],
    ['a product name that is none', ['init', 'r', '--product', 'Acme'], 2, /product name "Acme"/],
    ['a channel that is none', [...PUBLISH, '--channel', 'Beta!'], 2, /channel "Beta!"/],
    ['a threshold beyond the keys', [...INIT, '--root-threshold', '2'], 2, /--root-threshold 2/],
    ['an address that is none', [...INIT, '--url', 'u.example'], 2, /"u\.example"/],
    ['keys inside of the repository', [...INIT, '--keys', 'r/keys'], 2, /inside the repository/],
    ['a descriptor that is not open', [...PUBLISH, '--passphrase-fd', '77'], 2, /file descriptor 77/],
    ['new keys without a passphrase', ['init', 'r', '--product', 'acme'], 5, /UPDRAFT_PASSPHRASE/],
    ['no repository', PUBLISH, 3, /r is not a repository/],
    ['notes that are neither file nor sentence', [...PUBLISH, '--notes', 'NOTES.md'], 2, /"NOTES\.md"/],
  ])('%s', async (_, args, code, says) => {
    await using workspace = await openWorkspace()
    await writeTree(workspace.build, { 'bin/acme': 'the program' })
    const outcome = await run(workspace, args)
    expect(outcome.code).toBe(code)
    expect(outcome.stderr).toMatch(says)
    expect(outcome.stderr).not.toMatch(/ {4}at /) // no stack
    expect(await readdir(workspace.directory)).toEqual(['build'])
  })

  test('a publish that is told to stop exits with 130 and leaves the repository as it was', async () => {
    await using workspace = await openWorkspace()
    // Large enough that packing is still under way when the signal arrives.
    await writeTree(workspace.build, { large: Buffer.alloc(64 * 1024 * 1024, 'not quite the same again ') })
    await run(workspace, INIT)
    const before = await fingerprintTree(workspace.repository)
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', PUBLISHER, ...PUBLISH], {
      cwd: workspace.directory,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    const closed = once(child, 'close')
    let said = ''
    for await (const data of child.stderr) {
      said += data
      if (/step pack\n$/.test(said)) child.kill('SIGTERM')
    }
    const [code] = await closed
    expect({ code, said }).toMatchObject({
      code: 130,
      said: expect.stringMatching(/updraft-publisher: .*(stopped|interrupted)/),
    })
    expect(await fingerprintTree(workspace.repository)).toEqual(before)
    expect(await readdir(workspace.repository)).not.toContain('.staging')
  })
})

type Command = Awaited<ReturnType<typeof publisherProgram>>
const leavesOf = (command: Command, path: readonly string[] = []): readonly (readonly [string, Command])[] =>
  command.commands.length === 0
    ? [[path.join(' '), command]]
    : command.commands.flatMap((child) => leavesOf(child, [...path, child.name()]))
const context = {
  environment: {},
  terminal: undefined,
  now: () => new Date(),
  signal: AbortSignal.abort(),
  print: () => {},
}
const whole = await publisherProgram(context)
const leaves = leavesOf(whole)

describe('help', () => {
  test.each(leaves)('of %s has an example, and says that it can print JSON', (path, command) => {
    let help = ''
    command.configureOutput({ writeOut: (text) => (help += text) }).outputHelp()
    expect(help).toMatch(new RegExp(`Examples?:\n {2}\\$ (\\w+=\\S+ |source <\\()?updraft-publisher ${path} `))
    if (path !== 'completion') expect(help).toContain('--json')
    expect(help).toMatch(/\nWhat the exit codes mean: updraft-publisher --help\n$/)
  })

  test('of the whole begins with a first release, and ends with every exit code that there is', () => {
    let help = ''
    whole.configureOutput({ writeOut: (text) => (help += text) }).outputHelp()
    expect(help).toContain('$ updraft-publisher init r --product acme')
    const { notRunning, replaced, ...codes } = EXIT_CODES
    expect([...(help.split('Exit codes: ')[1] ?? '').matchAll(/\b\d+/g)].map(Number)).toEqual(Object.values(codes))
    expect([notRunning, replaced]).toEqual([9, 10])
  })

  test.each(whole.commands.map((command) => command.name()))(
    'of %s is the same whether or not the others are loaded',
    async (name) => {
      const textOf = (program: Command) =>
        program.commands.find((command) => command.name() === name)?.helpInformation()
      const alone = await publisherProgram(context, name)
      expect(textOf(alone)).toBe(textOf(whole))
      expect(alone.commands.length).toBe(name === 'completion' ? whole.commands.length : 1)
    },
  )

  test('is shown by the program', async () => {
    await using workspace = await openWorkspace()
    const { code, stdout } = await run(workspace, ['keys', 'certificate', '--help'])
    expect({ code, stdout }).toEqual({ code: 0, stdout: expect.stringContaining('revocation list') })
  })

  test('--version is the version of the package', async () => {
    await using workspace = await openWorkspace()
    expect(await run(workspace, ['--version'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/),
    })
  })
})
