import { execFileSync } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { writeBundle } from '@updraft/core/bundle/bundle'
import { encodeIndex } from '@updraft/core/bundle/index-file'
import { missingRanges } from '@updraft/core/bundle/ranges'
import { fillFromLocal } from '@updraft/core/bundle/reuse'
import { describeWith, needsRoot } from '../../support/needs.ts'
import {
  atEnd,
  bundle,
  install,
  listInstalled,
  makeBuild,
  type Nodes,
  noise,
  prose,
  temporaryFolder,
} from './bundle-support.ts'

const everything: Nodes = {
  'bin/acme': { kind: 'file', content: '#!/bin/sh\n', executable: true },
  'bin/link': { kind: 'link', target: '../lib/a.js' },
  'lib/a.js': prose(30_000, 'a'),
  'lib/copy-of-a.js': prose(30_000, 'a'),
  'lib/large.bin': noise(300_000, 'large'),
  'lib/empty-file': '',
  'lib/one-byte': 'x',
  'lib/empty/inner': { kind: 'directory' },
  dangling: { kind: 'link', target: 'not/there' },
  'über/日本語.txt': 'names beyond ASCII',
}

describe('round trips', () => {
  test('everything that a release can carry', async () => {
    expect(await install(await bundle(everything))).toEqual(listInstalled(everything))
  })

  test('a single file', async () => {
    const build = makeBuild({ 'acme-cli': { kind: 'file', content: noise(100_000, 1), executable: true } })
    const single = await bundle(join(build, 'acme-cli'))
    expect(single.sizes).toMatchObject({ files: 1, installedBytes: 100_000 })
    expect(await install(single)).toEqual(
      listInstalled({ 'acme-cli': { kind: 'file', content: noise(100_000, 1), executable: true } }),
    )
  })

  test('nothing but empty files: the pack is empty', async () => {
    const empty = await bundle({ a: '', 'd/b': '' })
    expect(empty.sizes).toMatchObject({ files: 2, installedBytes: 0, packBytes: 0 })
    expect(await install(empty)).toEqual(listInstalled({ a: '', 'd/b': '' }))
  })

  test('a sparse file of 64 MiB takes a few kilobytes, and is sparse again', async () => {
    const build = makeBuild({ a: 'a' })
    execFileSync('truncate', ['-s', '64M', join(build, 'sparse')])
    const sparse = await bundle(build)
    expect(sparse.sizes.packBytes + sparse.sizes.indexBytes).toBeLessThan(10_000)
    expect(sparse.index.references.length).toBeGreaterThan(1_000)
    const installed = await install(sparse)
    expect(installed.find((line) => line.startsWith('sparse'))).toContain(
      '3b6a07d0d404fab4e23b6d34bc6696a6a312dd92821332385e5af7c01c421351',
    )
  })

  test('two thousand files', async () => {
    const nodes = Object.fromEntries(
      Array.from({ length: 2_000 }, (_, n) => [`d${n % 40}/f${n}.txt`, `file ${n}\n`.repeat(1 + (n % 50))]),
    )
    const many = await bundle(nodes)
    expect(many.sizes.files).toBe(2_000)
    expect(await install(many)).toEqual(listInstalled(nodes))
  })

  test('more than one frame', async () => {
    const nodes = { a: noise(9_000_000, 'a'), b: noise(9_000_000, 'b') }
    const large = await bundle(nodes)
    expect(large.index.frames.count).toBe(3)
    expect(await install(large)).toEqual(listInstalled(nodes))
  })

  test('content that looks like a dictionary of zstd is never used as one', async () => {
    const magic = Buffer.from('37a430ec', 'hex')
    const content = (seed: string) => Buffer.concat([magic, Buffer.from(prose(200_000, 'body')), Buffer.from(seed)])
    const first = await bundle({ a: content('1') })
    const second = await bundle({ a: content('2') }, first)
    expect([...second.index.frames.bases]).toEqual(second.index.frames.bases.length === 1 ? [-1] : [-1, -1])
    expect(await install(second)).toEqual(listInstalled({ a: content('2') }))
  })
})

describe('the same build gives the same bytes', () => {
  test('twice, whatever the times, the folder and the order of creation', async () => {
    const first = await bundle(everything)
    const reversed = makeBuild(Object.fromEntries(Object.entries(everything).reverse()))
    utimesSync(join(reversed, 'lib/a.js'), 1, 1)
    const second = await bundle(reversed)
    expect(second.indexBytes.equals(first.indexBytes)).toBe(true)
    expect(second.packBytes.equals(first.packBytes)).toBe(true)
  })

  test('with one worker and with three', async () => {
    const old = { ...everything, big: noise(9_000_000, 'big'), text: prose(1_000_000, 'text') }
    const next = {
      ...old,
      big: Buffer.concat([noise(9_000_000, 'big'), Buffer.from('more')]),
      text: prose(1_000_000, 'texts'),
    }
    const one = await bundle(old, undefined, { workers: 1 })
    const three = await bundle(old, undefined, { workers: 3 })
    expect(three.indexBytes.equals(one.indexBytes) && three.packBytes.equals(one.packBytes)).toBe(true)
    const nextOne = await bundle(next, one, { workers: 1 })
    const nextThree = await bundle(next, three, { workers: 3 })
    expect(nextThree.indexBytes.equals(nextOne.indexBytes) && nextThree.packBytes.equals(nextOne.packBytes)).toBe(true)
  })

  test('and an index that is the one returned', async () => {
    const build = makeBuild(everything)
    const written = await writeBundle({ build, into: join(temporaryFolder(), 'b') })
    expect(encodeIndex(written.index).equals(readFileSync(written.indexPath))).toBe(true)
  })
})

describe('an update', () => {
  const source = (changed: number): Nodes =>
    Object.fromEntries(
      Array.from({ length: 60 }, (_, n) => [
        `src/module-${n}.js`,
        `${n === changed ? 'const patched = true\n' : ''}${prose(20_000, n)}`,
      ]),
    )

  test('lies in front: a machine with the previous pack lacks the index and one short prefix', async () => {
    const first = await bundle(source(-1))
    const second = await bundle(source(30), first)
    const packPath = join(temporaryFolder(), 'pack')
    const { filled, reusedBytes } = await fillFromLocal({ index: second.index, packPath, packs: [first], trees: [] })
    const missing = missingRanges(filled, second.sizes.packBytes)
    expect(missing).toEqual([{ start: 0, end: second.sizes.packBytes - first.sizes.packBytes }])
    expect(missing[0]?.end).toBeLessThan(1_000)
    expect(reusedBytes).toBe(first.sizes.packBytes)
    expect(second.reusedBytes).toBe(first.sizes.packBytes)
    expect(await install(second)).toEqual(listInstalled(source(30)))
  })

  test('leaves carried frames as they were, byte for byte and in their order', async () => {
    const first = await bundle(source(-1))
    const second = await bundle(source(10), first)
    const third = await bundle(source(20), second)
    expect(third.packBytes.subarray(-first.packBytes.length).equals(first.packBytes)).toBe(true)
    expect(third.index.frames.count).toBeGreaterThan(1)
    expect(await install(third)).toEqual(listInstalled(source(20)))
  })

  test('without any change has the same pack', async () => {
    const first = await bundle(source(-1))
    const second = await bundle(source(-1), first)
    expect(second.packBytes.equals(first.packBytes)).toBe(true)
    expect(second.indexBytes.equals(first.indexBytes)).toBe(true)
  })

  test('that only renames and changes modes has the same pack', async () => {
    const first = await bundle({ a: prose(50_000, 1), b: prose(50_000, 2) })
    const second = await bundle(
      { 'lib/a2': { kind: 'file', content: prose(50_000, 1), executable: true }, b: prose(50_000, 2) },
      first,
    )
    expect(second.packBytes.equals(first.packBytes)).toBe(true)
    expect(second.indexBytes.equals(first.indexBytes)).toBe(false)
  })

  test('to something entirely different carries nothing along', async () => {
    const first = await bundle({ a: noise(2_000_000, 1) })
    const nodes = { b: noise(2_000_000, 2) }
    const second = await bundle(nodes, first)
    expect(second.reusedBytes).toBe(0)
    expect(second.sizes.packBytes).toBeLessThan(2_010_000)
    expect(await install(second)).toEqual(listInstalled(nodes))
  })

  test('after many releases the pack has not grown by more than a quarter', async () => {
    let previous = await bundle(source(-1))
    const fresh = previous.sizes.packBytes
    const nodes: Record<string, string> = { ...(source(-1) as Record<string, string>) }
    for (let release = 0; release < 12; release += 1) {
      for (let n = 0; n < 6; n += 1) nodes[`src/module-${(release * 6 + n) % 60}.js`] = prose(20_000, `${release} ${n}`)
      previous = await bundle(nodes, previous)
      expect(previous.sizes.packBytes).toBeLessThan(fresh * 1.25 + 8_192)
    }
    expect(await install(previous)).toEqual(listInstalled(nodes))
  })

  test('that outgrows its first release soon has a dictionary of its own size', async () => {
    const first = await bundle({ a: prose(2_000, 'a') })
    const grown = { a: prose(2_000, 'a'), b: noise(900_000, 'b') }
    const second = await bundle(grown, first)
    const changed = { ...grown, b: Buffer.concat([Buffer.from('changed'), noise(900_000, 'b')]) }
    const third = await bundle(changed, second)
    expect(third.sizes.packBytes - third.reusedBytes).toBeLessThan(3_000)
    expect(await install(third)).toEqual(listInstalled(changed))
  })
})

describe('refusals leave nothing behind', () => {
  const refusedIn = async (build: string, previous?: Parameters<typeof bundle>[1]) => {
    const into = join(temporaryFolder(), 'bundle')
    const error: unknown = await writeBundle({ build, into, previous, workers: 1 }).catch((error: unknown) => error)
    return { error, left: existsSync(into) ? readdirSync(into) : [] }
  }

  test.each<[string, Nodes, string]>([
    ['an empty build', {}, 'BUILD_EMPTY'],
    ['a link out of the build', { a: 'a', l: { kind: 'link', target: '../x' } }, 'BUILD_UNSUPPORTED'],
  ])('%s', async (_what, nodes, code) => {
    expect(await refusedIn(makeBuild(nodes))).toMatchObject({ error: { code }, left: [] })
  })

  test('a file that changes between the two times it is read', async () => {
    const build = makeBuild({ a: noise(2_000_000, 1), z: 'z' })
    const into = join(temporaryFolder(), 'bundle')
    let isChanged = false
    const written = writeBundle({
      build,
      into,
      workers: 1,
      onProgress: ({ phase, doneBytes, totalBytes }) => {
        if (phase !== 'read' || doneBytes < totalBytes || isChanged) return
        isChanged = true
        writeFileSync(join(build, 'a'), noise(2_000_000, 2))
      },
    })
    await expect(written).rejects.toMatchObject({
      code: 'BUILD_CHANGED',
      message: expect.stringContaining('a changed while'),
    })
    expect(readdirSync(into)).toEqual([])
  })

  test('a file that grows while it is read', async () => {
    const build = makeBuild({ a: noise(12_000_000, 1) })
    const into = join(temporaryFolder(), 'bundle')
    let isChanged = false
    const written = writeBundle({
      build,
      into,
      workers: 1,
      onProgress: () => {
        if (!isChanged) appendFileSync(join(build, 'a'), 'more')
        isChanged = true
      },
    })
    await expect(written).rejects.toMatchObject({
      code: 'BUILD_CHANGED',
      message: expect.stringContaining('a changed while'),
    })
    expect(readdirSync(into)).toEqual([])
  })

  test('a previous pack that is damaged, cut off or gone', async () => {
    const first = await bundle({ a: prose(100_000, 1) })
    const next = makeBuild({ a: `${prose(100_000, 1)} and more` })
    const damaged = Buffer.from(first.packBytes)
    damaged[100] = (damaged[100] ?? 0) ^ 1
    writeFileSync(first.packPath, damaged)
    expect(await refusedIn(next, first)).toMatchObject({ error: { code: 'BUNDLE_INVALID' }, left: [] })
    writeFileSync(first.packPath, first.packBytes.subarray(0, -1))
    expect(await refusedIn(next, first)).toMatchObject({ error: { code: 'BUNDLE_INVALID' }, left: [] })
    rmSync(first.packPath)
    expect(await refusedIn(next, first)).toMatchObject({ error: { code: 'IO' }, left: [] })
  })

  test('a damaged previous pack of which everything is carried over', async () => {
    const first = await bundle({ a: prose(100_000, 1) })
    const damaged = Buffer.from(first.packBytes)
    damaged[100] = (damaged[100] ?? 0) ^ 1
    writeFileSync(first.packPath, damaged)
    expect(await refusedIn(makeBuild({ a: prose(100_000, 1) }), first)).toMatchObject({
      error: { code: 'BUNDLE_INVALID', message: expect.stringContaining('frame 0 of the previous pack') },
      left: [],
    })
  })

  test('an interruption, at any time', async () => {
    const build = makeBuild({ a: noise(10_000_000, 1), b: prose(1_000_000, 1) })
    for (const stopAt of ['start', 'read', 'pack']) {
      const into = join(temporaryFolder(), 'bundle')
      const controller = new AbortController()
      if (stopAt === 'start') controller.abort()
      const written = writeBundle({
        build,
        into,
        signal: controller.signal,
        onProgress: ({ phase }) => {
          if (phase === stopAt) controller.abort()
        },
      })
      await expect(written).rejects.toMatchObject({ code: 'ABORTED' })
      expect(existsSync(into) ? readdirSync(into) : []).toEqual([])
    }
  })

  test('an older bundle in the same place stays until the new one is complete', async () => {
    const into = join(temporaryFolder(), 'bundle')
    const first = await bundle({ a: 'first' }, undefined, { into })
    await expect(writeBundle({ build: makeBuild({}), into })).rejects.toMatchObject({ code: 'BUILD_EMPTY' })
    expect(readFileSync(first.packPath).equals(first.packBytes)).toBe(true)
    await bundle({ a: 'second' }, undefined, { into })
    expect(readdirSync(into).sort()).toEqual(['index', 'pack'])
  })
})

describeWith([needsRoot], 'on a full disk', () => {
  test('a bundle that does not fit leaves nothing behind', async () => {
    const disk = join(temporaryFolder(), 'disk')
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk])
    atEnd(() => execFileSync('umount', [disk]))
    const build = makeBuild({ a: noise(3_000_000, 1) })
    await expect(writeBundle({ build, into: join(disk, 'b'), workers: 1 })).rejects.toMatchObject({ code: 'DISK_FULL' })
    expect(readdirSync(join(disk, 'b'))).toEqual([])
  })
})

describe('while it works', () => {
  test('progress goes from nothing to all, first for reading and then for packing', async () => {
    const phases: string[] = []
    let last = { phase: '', doneBytes: 0, totalBytes: 0 }
    const build = makeBuild({ a: noise(500_000, 1), b: noise(500_000, 1), c: prose(100_000, 1) })
    await writeBundle({
      build,
      into: join(temporaryFolder(), 'b'),
      onProgress: (event) => {
        if (event.phase !== last.phase) phases.push(event.phase)
        else expect(event.doneBytes).toBeGreaterThanOrEqual(last.doneBytes)
        last = event
      },
    })
    expect(phases).toEqual(['read', 'pack'])
    expect(last).toEqual({ phase: 'pack', doneBytes: 600_000, totalBytes: 600_000 })
  })

  test('the work is on other threads: this one does less than half of it', async () => {
    const build = makeBuild({ a: noise(16_000_000, 1), b: prose(4_000_000, 1) })
    // CPU time and not time by the clock, which passes on a busy machine as well.
    const spent = ({ user, system }: NodeJS.CpuUsage): number => user + system
    const [all, own] = [process.cpuUsage(), process.threadCpuUsage()]
    await writeBundle({ build, into: join(temporaryFolder(), 'b') })
    expect(spent(process.threadCpuUsage(own)) / spent(process.cpuUsage(all))).toBeLessThan(0.5)
  })

  test('the pack is readable by all, and no executable', async () => {
    const { packPath } = await bundle({ a: 'a' })
    expect(statSync(packPath).mode & 0o777).toBe(0o644)
  })
})
