// Install kind `vsix` with a real VS Code: installed, updated, taken back and taken away through its own command line, and
// whatever is not as it should be is noticed.
import { execFile } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { activatorOf } from '@updraft/agent/activation'
import { parseSettings } from '@updraft/agent/settings'
import { parseProduct } from '@updraft/core/names'
import { PROJECT } from '../../scripts/steps.ts'
import { describeWith, needsProgram } from '../support/needs.ts'
import { processesNaming } from '../support/processes.ts'
import { INSTALL_TIMEOUT_MS, installVscode } from '../support/vscode-install.ts'

const NEEDS = ['g++', 'make', 'python3'].map(needsProgram)

describeWith(NEEDS, 'install kind vsix, in VS Code', () => {
  let folder: string
  let productsDirectory: string
  let cli: readonly string[]

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'ud-vsix-'))
    productsDirectory = join(folder, 'products')
    const { server, node } = await installVscode('floor')
    // A command line of VS Code as a distribution brings it: everything that belongs to this one is named.
    const code = join(folder, 'code')
    const words = [
      node,
      join(server, 'out/server-main.js'),
      '--accept-server-license-terms',
      ...['--server-data-dir', join(folder, 'sd')],
      ...['--user-data-dir', join(folder, 'data')],
      ...['--extensions-dir', join(folder, 'ext')],
    ]
    writeFileSync(code, `#!/bin/sh\nEXTENSIONS_GALLERY='{}' exec ${words.join(' ')} "$@"\n`, { mode: 0o755 })
    cli = [code]
  }, INSTALL_TIMEOUT_MS)

  afterAll(async () => {
    expect(processesNaming(folder)).toEqual([])
    await rm(folder, { recursive: true, force: true })
  })

  /** A version in its place, with the smallest extension that there is. */
  const versionWith = async (version: string, vscode = '^1.90.0') => {
    const source = join(folder, `source-${version}`)
    await mkdir(source)
    const manifest = {
      name: 'hello',
      publisher: 'acme',
      version,
      engines: { vscode },
      repository: 'https://example.com/hello.git',
      license: 'MIT',
    }
    await writeFile(join(source, 'package.json'), JSON.stringify(manifest))
    await writeFile(join(source, 'LICENSE'), 'MIT')
    await writeFile(join(source, 'README.md'), 'Says hello.')
    const treePath = join(productsDirectory, 'hello/versions', version)
    mkdirSync(treePath, { recursive: true })
    const vsce = join(PROJECT, 'node_modules/@vscode/vsce/vsce')
    const words = [vsce, 'package', '--no-dependencies', '--out', join(treePath, 'hello.vsix')]
    await promisify(execFile)(process.execPath, words, { cwd: source })
    return { version, treePath }
  }

  const activator = () => {
    const install = { kind: 'vsix', cli }
    const [settings] = parseSettings(
      JSON.stringify({ products: { hello: { source: 'main', install } } }),
      'agent.json',
    ).products
    if (settings === undefined) throw new Error('no settings')
    const signal = new AbortController().signal
    return activatorOf(settings.install, { product: parseProduct('hello'), productsDirectory, signal })
  }

  const listed = async () => {
    const [program = '', ...args] = cli
    const { stdout } = await promisify(execFile)(program, [...args, '--list-extensions', '--show-versions'])
    return stdout.trim()
  }

  test('puts a version in, the next one over it, and goes back to the one before and to none', async () => {
    const [one, two] = await Promise.all([versionWith('1.0.0'), versionWith('1.1.0')])
    const kind = activator()
    await kind.assertFits(one)
    await kind.activate(one, undefined)
    expect(await listed()).toBe('acme.hello@1.0.0')
    await kind.activate(two, '1.0.0')
    await kind.activate(two, '1.0.0') // Again, as after a kill.
    expect(await listed()).toBe('acme.hello@1.1.0')
    expect(await kind.faultOf(two)).toBeUndefined()
    expect(await kind.faultOf(one)).toBe('VS Code has 1.1.0 of acme.hello, not 1.0.0')
    await kind.leave(two, one)
    expect(await listed()).toBe('acme.hello@1.0.0')
    await kind.leave(one, undefined)
    expect(await listed()).toBe('')
    expect(await kind.faultOf(one)).toBe('VS Code has none of acme.hello, not 1.0.0')
    await kind.leave(one, undefined)
  }, 180_000)

  test('a release without an extension, or with something else of that name, is refused before anything moves', async () => {
    const treePath = join(productsDirectory, 'hello/versions/2.0.0')
    mkdirSync(treePath, { recursive: true })
    const release = { version: '2.0.0', treePath }
    await expect(activator().assertFits(release)).rejects.toMatchObject({
      code: 'KIND_UNFIT',
      message: 'hello 2.0.0 has 0 files *.vsix, and it takes one',
    })
    writeFileSync(join(treePath, 'hello.vsix'), 'no zip')
    await expect(activator().assertFits(release)).rejects.toMatchObject({
      code: 'KIND_UNFIT',
      message: expect.stringContaining('hello.vsix is no extension of VS Code'),
    })
  })

  test('an extension that VS Code refuses is a version that could not be brought into use', async () => {
    const tooNew = await versionWith('3.0.0', '^99.0.0')
    await expect(activator().activate(tooNew, undefined)).rejects.toMatchObject({
      code: 'ACTIVATION_FAILED',
      message: expect.stringContaining('acme.hello 3.0.0 was not installed: VS Code has none of it'),
    })
  })
})
