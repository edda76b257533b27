import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { lstat } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { scanTree } from '@updraft/core/bundle/tree'
import { LIMITS } from '@updraft/core/limits'
import { describeWith, needsProgram } from '../../support/needs.ts'
import { atEnd, makeBuild, type Nodes, temporaryFolder } from './bundle-support.ts'

const pathsOf = async (build: string): Promise<string[]> => (await scanTree(build)).entries.map(({ path }) => path)

describe('what a release can carry', () => {
  test('files, empty directories and links, each directory right before what it contains', async () => {
    const build = makeBuild({
      'b.txt': 'b',
      'a/x': 'x',
      'a-b': '',
      'a/empty': { kind: 'directory' },
      'a/link': { kind: 'link', target: '../b.txt' },
      bin: { kind: 'file', content: '#!', executable: true },
    })
    const { root, entries } = await scanTree(build)
    expect(root).toBe(build)
    expect(entries).toMatchObject([
      { kind: 'directory', path: 'a' },
      { kind: 'directory', path: 'a/empty' },
      { kind: 'link', path: 'a/link', target: '../b.txt' },
      { kind: 'file', path: 'a/x', executable: false, lengthBytes: 1 },
      { kind: 'file', path: 'a-b', lengthBytes: 0 },
      { kind: 'file', path: 'b.txt' },
      { kind: 'file', path: 'bin', executable: true },
    ])
  })

  test('a single file, under its own name', async () => {
    const build = makeBuild({ 'acme-cli': { kind: 'file', content: 'binary', executable: true } })
    const { root, entries } = await scanTree(join(build, 'acme-cli'))
    expect(root).toBe(build)
    expect(entries).toMatchObject([{ kind: 'file', path: 'acme-cli', executable: true, lengthBytes: 6 }])
  })

  test('a build that is reached by a link', async () => {
    const build = makeBuild({ a: 'a' })
    symlinkSync('build', join(build, '../current'))
    expect(await pathsOf(join(build, '../current'))).toEqual(['a'])
  })

  test('of all permission bits only the x of the owner: setuid, setgid and the rest are dropped', async () => {
    const build = makeBuild({ setuid: 'a', 'group-only': 'b', owner: 'c' })
    chmodSync(join(build, 'setuid'), 0o6755)
    chmodSync(join(build, 'group-only'), 0o655)
    chmodSync(join(build, 'owner'), 0o700)
    const { entries } = await scanTree(build)
    expect(entries.map((entry) => entry.kind === 'file' && [entry.path, entry.executable])).toEqual([
      ['group-only', false],
      ['owner', true],
      ['setuid', true],
    ])
    expect(JSON.stringify(entries)).not.toContain('mode')
  })
})

describe('what it cannot', () => {
  test.each<[what: string, nodes: Nodes, fault: string]>([
    ['an absolute link', { a: 'a', l: { kind: 'link', target: '/etc/passwd' } }, '"l" points to the absolute path'],
    ['a link out of the tree', { a: 'a', 'd/l': { kind: 'link', target: '../../x' } }, '"d/l" points out of the tree'],
    ['two names that differ in case', { 'a/Readme': '1', 'a/README': '2' }, 'differ only in case'],
    ['two directories that differ in case', { 'Lib/a': '1', 'lib/b': '2' }, '"Lib" differ only in case'],
    ['two forms of one accent', { '\u00e9': '1', 'e\u0301': '2' }, 'differ only in case or in the form of accents'],
    ['a device of Windows', { 'src/aux.js': '1' }, '"src/aux.js" contains "aux.js", which is a device'],
    ['a name that ends in a dot', { 'a.': '1' }, 'ends in a space or a dot'],
    ['a backslash', { 'a\\b': '1' }, 'which Windows does not allow'],
    ['a control character', { 'a\nb': '1' }, '"a\\nb" contains a control character'],
    ['too deep a path', { [Array(65).fill('d').join('/')]: '1' }, '65 parts'],
  ])('refuses %s', async (_what, nodes, fault) => {
    await expect(scanTree(makeBuild(nodes))).rejects.toMatchObject({
      code: 'BUILD_UNSUPPORTED',
      message: expect.stringContaining(fault),
      hint: expect.stringContaining('rename or remove'),
    })
  })

  test('refuses a name that is not UTF-8', async () => {
    const build = makeBuild({ a: 'a' })
    writeFileSync(Buffer.concat([Buffer.from(`${build}/`), Buffer.from([0x66, 0xff])]), 'x')
    await expect(scanTree(build)).rejects.toMatchObject({
      code: 'BUILD_UNSUPPORTED',
      message: expect.stringContaining('is not UTF-8'),
    })
  })

  test('refuses a link to a name that is not UTF-8', async () => {
    const build = makeBuild({ a: 'a' })
    symlinkSync(Buffer.from([0x66, 0xff]), join(build, 'l'))
    await expect(scanTree(build)).rejects.toMatchObject({
      code: 'BUILD_UNSUPPORTED',
      message: expect.stringContaining('"l" points to a name that is not UTF-8'),
    })
  })

  test('refuses a socket', async () => {
    const build = makeBuild({ a: 'a' })
    const server = createServer().listen(join(build, 's'))
    atEnd(() => server.close())
    await once(server, 'listening')
    await expect(scanTree(build)).rejects.toMatchObject({
      code: 'BUILD_UNSUPPORTED',
      message: expect.stringContaining('"s" is a socket'),
    })
  })

  test('tells several faults at once, but not a hundred', async () => {
    const nodes = Object.fromEntries(Array.from({ length: 100 }, (_, number) => [`bad${number}.`, '']))
    const error: unknown = await scanTree(makeBuild(nodes)).catch((error: unknown) => error)
    expect(error).toMatchObject({ code: 'BUILD_UNSUPPORTED', message: expect.stringContaining('and more') })
    expect(String(error).match(/ends in a space or a dot/g)).toHaveLength(10)
  })

  test('refuses a device, which stands for itself when it is the build', async () => {
    await expect(scanTree('/dev/null')).rejects.toMatchObject({
      code: 'BUILD_UNSUPPORTED',
      message: expect.stringContaining('is a device'),
    })
  })

  test('says that a build is missing', async () => {
    const build = makeBuild({ a: 'a' })
    await expect(scanTree(join(build, 'b'))).rejects.toMatchObject({ code: 'BUILD_MISSING' })
    await expect(scanTree(join(build, 'a/b'))).rejects.toMatchObject({ code: 'BUILD_MISSING' })
  })

  test.each<[string, Nodes]>([
    ['an empty folder', {}],
    ['a folder of empty folders', { 'a/b': { kind: 'directory' } }],
    ['a folder with nothing but a link', { a: { kind: 'link', target: 'b' } }],
  ])('says that %s is empty', async (_what, nodes) => {
    await expect(scanTree(makeBuild(nodes))).rejects.toMatchObject({ code: 'BUILD_EMPTY' })
  })

  test('refuses a file beyond the limit before reading any of it', async () => {
    const build = makeBuild({ small: 'a' })
    execFileSync('truncate', ['-s', String(LIMITS.fileLengthBytes + 1), join(build, 'huge')])
    await expect(scanTree(build)).rejects.toMatchObject({
      code: 'LIMIT_EXCEEDED',
      message: expect.stringContaining('huge has 68719476737 bytes'),
    })
  })

  test('stops when it is told to', async () => {
    await expect(scanTree(makeBuild({ a: 'a' }), { signal: AbortSignal.abort() })).resolves.toBeDefined()
    const many = makeBuild({})
    for (let number = 0; number < 5_000; number += 1) writeFileSync(join(many, `f${number}`), '')
    await expect(scanTree(many, { signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
  })

  test('says what disappeared while the build was read', async () => {
    const build = temporaryFolder()
    for (let directory = 0; directory < 200; directory += 1) {
      mkdirSync(join(build, `d${directory}`))
      writeFileSync(join(build, `d${directory}/f`), '')
    }
    // On a busy machine it may disappear before the names are read, or after everything is: then the next scan will meet it.
    let fault: unknown
    while (fault === undefined) {
      mkdirSync(join(build, 'd99'), { recursive: true })
      const scan = scanTree(build).then(
        () => undefined,
        (error: unknown) => error,
      )
      // As many round trips to the disk as the scan needs for the list of names, and far fewer than for all folders.
      for (let trip = 0; trip < 20; trip += 1) await lstat(build)
      rmSync(join(build, 'd99'), { recursive: true })
      fault = await scan
    }
    expect(fault).toMatchObject({ code: 'BUILD_CHANGED', message: expect.stringContaining('d99') })
  })
})

describeWith([needsProgram('mkfifo')], 'named pipes', () => {
  test('refuses a named pipe instead of waiting for its writer', async () => {
    const build = makeBuild({ a: 'a' })
    execFileSync('mkfifo', [join(build, 'p')])
    await expect(scanTree(build)).rejects.toMatchObject({
      code: 'BUILD_UNSUPPORTED',
      message: expect.stringContaining('"p" is a named pipe'),
    })
  })
})
