import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from '@jest/globals'
import type { BundleIndex } from '@updraft/core/bundle/bundle-index'
import { encodeIndex, parseIndex } from '@updraft/core/bundle/index-file'
import { finishTree, unpackBundle } from '@updraft/core/bundle/unpack'
import { UpdateError } from '@updraft/core/errors'
import fc from 'fast-check'
import { describeWith, needsRoot } from '../../support/needs.ts'
import {
  atEnd,
  type Bundle,
  bundle,
  install,
  listInstalled,
  listTree,
  type Nodes,
  noise,
  prose,
  temporaryFolder,
} from './bundle-support.ts'
import { claim, withFrames } from './index-support.ts'

const release: Nodes = {
  bin: { kind: 'file', content: '#!/bin/sh\n', executable: true },
  'lib/a.js': prose(40_000, 'a'),
  'lib/b.js': prose(100_000, 'b'),
  'lib/link': { kind: 'link', target: '../bin' },
  'lib/empty': '',
}

/** Tries to unpack, and returns the error and what is on disk afterwards, next to the tree and in it. */
const attack = async (index: BundleIndex, pack: Uint8Array) => {
  const folder = temporaryFolder()
  const packPath = join(folder, 'pack')
  writeFileSync(packPath, pack)
  const error: unknown = await unpackBundle({ index, packPath, into: join(folder, 'tree') }).then(
    () => undefined,
    (error: unknown) => error,
  )
  return { error, left: readdirSync(folder) }
}

const invalid = (fault: string) => ({
  error: { code: 'BUNDLE_INVALID', message: expect.stringContaining(fault) },
  left: ['pack'],
})

describe('a pack that is still on its way', () => {
  /** Two frames with content of their own. */
  const two = { 'a.bin': noise(8_000_000, 'a'), 'b.bin': noise(2_000_000, 'b') }

  test('is unpacked as its frames come, in whatever order', async () => {
    const { index, packPath, packBytes } = await bundle(two)
    const [, second = 0] = index.frames.offsets
    const into = join(temporaryFolder(), 'tree')
    // Only the second frame is there, until it has been unpacked.
    writeFileSync(packPath, Buffer.concat([Buffer.alloc(second), packBytes.subarray(second)]))
    let unpacked = 0
    const first = Promise.withResolvers<void>()
    await unpackBundle({
      index,
      packPath,
      into,
      whenHave: (start) => (start === 0 ? first.promise : Promise.resolve()),
      onProgress: ({ doneBytes }) => {
        if (unpacked === 0) {
          writeFileSync(packPath, packBytes)
          first.resolve()
        }
        unpacked = doneBytes
      },
    })
    await finishTree(index, into)
    expect(listTree(into).sort()).toEqual(listInstalled(two))
  })

  test('that does not come leaves nothing, and its error is the one that is thrown', async () => {
    const { index, packPath } = await bundle(two)
    const folder = temporaryFolder()
    const lost = new UpdateError('SWARM_STALLED', 'nobody has it')
    const whenHave = (start: number): Promise<void> => (start === 0 ? Promise.reject(lost) : Promise.resolve())
    await expect(unpackBundle({ index, packPath, into: join(folder, 'tree'), whenHave })).rejects.toBe(lost)
    expect(readdirSync(folder)).toEqual([])
  })
})

describe('an unpacked tree', () => {
  test('has only private modes, and nothing executable, until it is finished', async () => {
    const { index, packPath } = await bundle(release)
    const into = join(temporaryFolder(), 'tree')
    const umask = process.umask(0)
    atEnd(() => process.umask(umask))
    await unpackBundle({ index, packPath, into })
    expect(listTree(into).map((line) => line.split(' ').slice(0, 2).join(' '))).toEqual([
      'bin 600',
      'lib/ 700',
      'lib/a.js 600',
      'lib/b.js 600',
      'lib/empty 600',
      'lib/link ->',
    ])
    expect(statSync(into).mode & 0o777).toBe(0o700)
    await finishTree(index, into)
    expect(listTree(into).sort()).toEqual(listInstalled(release))
    expect(statSync(into).mode & 0o777).toBe(0o755)
  })

  test('is written into a new folder only: what is there already is left alone', async () => {
    const { index, packPath } = await bundle(release)
    const folder = temporaryFolder()
    mkdirSync(join(folder, 'there'))
    writeFileSync(join(folder, 'there/bin'), 'mine')
    symlinkSync('there', join(folder, 'link'))
    for (const name of ['there', 'link']) {
      await expect(unpackBundle({ index, packPath, into: join(folder, name) })).rejects.toMatchObject({ code: 'IO' })
    }
    expect(listTree(folder).map((line) => line.split(' ')[0])).toEqual(['link', 'there/', 'there/bin'])
    expect(readFileSync(join(folder, 'there/bin'), 'utf8')).toBe('mine')
  })

  test('reports progress up to all of the content', async () => {
    const { index, packPath } = await bundle(release)
    let last = {}
    await unpackBundle({
      index,
      packPath,
      into: join(temporaryFolder(), 'tree'),
      onProgress: (event) => (last = event),
    })
    const totalBytes = index.frames.lengths.reduce((sum, length) => sum + length, 0)
    expect(last).toEqual({ phase: 'unpack', doneBytes: totalBytes, totalBytes })
  })

  test('is gone when it was interrupted', async () => {
    const { index, packPath } = await bundle({ a: noise(20_000_000, 1), b: noise(1_000, 2) })
    const into = join(temporaryFolder(), 'tree')
    const controller = new AbortController()
    const unpacked = unpackBundle({
      index,
      packPath,
      into,
      signal: controller.signal,
      onProgress: () => controller.abort(),
    })
    await expect(unpacked).rejects.toMatchObject({ code: 'ABORTED' })
    expect(existsSync(into)).toBe(false)
  })
})

describe('a damaged pack', () => {
  test('is refused wherever a bit is flipped, and leaves nothing', async () => {
    const { index, packBytes } = await bundle(release)
    for (const at of [0, 4, 100, packBytes.length >> 1, packBytes.length - 1]) {
      const damaged = Buffer.from(packBytes)
      damaged[at] = (damaged[at] ?? 0) ^ 0x10
      expect(await attack(index, damaged)).toMatchObject(invalid('frame 0 of the pack has SHA-256'))
    }
  })

  test('is refused wherever it is cut off', async () => {
    const { index, packBytes } = await bundle(release)
    for (const length of [0, 1, packBytes.length - 1]) {
      expect(await attack(index, packBytes.subarray(0, length))).toMatchObject(
        invalid(`pack ends in frame 0: ${length} of`),
      )
    }
  })

  test('is named with the frame that is bad, when others are good', async () => {
    const first = await bundle({ a: prose(100_000, 1) })
    const second = await bundle({ a: `changed ${prose(100_000, 1)}` }, first)
    expect(second.index.frames.count).toBe(2)
    const damaged = Buffer.from(second.packBytes)
    damaged[5] = (damaged[5] ?? 0) ^ 1
    expect(await attack(second.index, damaged)).toMatchObject(invalid('frame 0 of the pack has SHA-256'))
  })

  test('that is missing is an error of the disk', async () => {
    const { index } = await bundle(release)
    const into = join(temporaryFolder(), 'tree')
    await expect(unpackBundle({ index, packPath: join(temporaryFolder(), 'none'), into })).rejects.toMatchObject({
      code: 'IO',
    })
    expect(existsSync(into)).toBe(false)
  })
})

describe('a pack and an index that agree on a lie', () => {
  /** The same bundle with columns of its index changed; still an index that parses. */
  const lying = (index: BundleIndex, change: (index: BundleIndex) => BundleIndex): BundleIndex =>
    parseIndex(encodeIndex(change(index)))
  const flipped = (bytes: Uint8Array, at: number): Uint8Array => {
    const copy = Uint8Array.from(bytes)
    copy[at] = (copy[at] ?? 0) ^ 1
    return copy
  }

  test('a chunk that decompresses to something else is named, with its file', async () => {
    const { index, packBytes } = await bundle(release)
    const chunk = index.files.find(({ path }) => path === 'lib/a.js')
    const number = chunk?.kind === 'file' ? (index.references[chunk.firstReference] ?? -1) : -1
    const liar = lying(index, (index) => ({
      ...index,
      chunks: { ...index.chunks, digests: flipped(index.chunks.digests, number * 32) },
    }))
    expect(await attack(liar, packBytes)).toMatchObject(invalid(`chunk ${number} in "lib/a.js" has SHA-256`))
  })

  test('a file that is not what its digest says is named: in one frame, and over several', async () => {
    const { index, packBytes } = await bundle(release)
    const liar = lying(index, (index) => ({ ...index, fileDigests: flipped(index.fileDigests, 0) }))
    expect(await attack(liar, packBytes)).toMatchObject(invalid('file "lib/a.js" has SHA-256'))

    const large = await bundle({ large: noise(9_000_000, 1) })
    const largeLiar = lying(large.index, (index) => ({ ...index, fileDigests: flipped(index.fileDigests, 0) }))
    expect(await attack(largeLiar, large.packBytes)).toMatchObject(invalid('file "large" has SHA-256'))
  })

  test('chunks in another order do not make the same file', async () => {
    const { index, packBytes } = await bundle({ f: noise(200_000, 1) })
    const liar = lying(index, (index) => ({ ...index, references: Uint32Array.from(index.references).reverse() }))
    expect(await attack(liar, packBytes)).toMatchObject(invalid('file "f" has SHA-256'))
  })

  const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest()
  const oneFrame = (packed: Buffer, length: number): BundleIndex =>
    withFrames(
      claim([{ packed: packed.length, length, chunks: [[0, Math.min(length, 1_000)]] }], [{ path: 'f', chunks: [0] }]),
      {
        digests: sha256(packed),
      },
    )

  test('a decompression bomb is refused at its promised length', async () => {
    const bomb = zstdCompressSync(Buffer.alloc(64 * 1024 * 1024))
    expect(await attack(oneFrame(bomb, 8_192), bomb)).toMatchObject(
      invalid('frame 0 of the pack is no frame: it does not decompress to 8192'),
    )
  })

  test('a frame that gives less than promised is refused', async () => {
    const short = zstdCompressSync(Buffer.alloc(1_000))
    expect(await attack(oneFrame(short, 1_001), short)).toMatchObject(invalid('decompresses to less than 1001'))
  })

  test('bytes that are no frame are refused', async () => {
    const junk = noise(1_000, 1)
    expect(await attack(oneFrame(junk, 1_000), junk)).toMatchObject(invalid('frame 0 of the pack is no frame'))
  })

  test('a base that begins like a dictionary of zstd is refused', async () => {
    const content = Buffer.concat([Buffer.from('37a430ec', 'hex'), noise(996, 1)])
    const packed = zstdCompressSync(content)
    const frames = [
      { packed: packed.length, length: 1_000, chunks: [[0, 1_000]] as const },
      { packed: packed.length, length: 1_000, base: 0, chunks: [[0, 1_000]] as const },
    ]
    const index = withFrames(claim(frames, [{ path: 'f', chunks: [0, 1] }]), {
      digests: Buffer.concat([sha256(packed), sha256(packed)]),
    })
    const honestChunks = {
      ...index,
      chunks: { ...index.chunks, digests: Buffer.concat([sha256(content), sha256(content)]) },
    }
    expect(await attack(honestChunks, Buffer.concat([packed, packed]))).toMatchObject(
      invalid('its base begins like a dictionary'),
    )
  })
})

describeWith([needsRoot], 'on a full disk', () => {
  test('a tree that does not fit leaves nothing behind', async () => {
    const { index, packPath } = await bundle({ a: noise(3_000_000, 1), b: 'b' })
    const disk = join(temporaryFolder(), 'disk')
    mkdirSync(disk)
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', disk])
    atEnd(() => execFileSync('umount', [disk]))
    await expect(unpackBundle({ index, packPath, into: join(disk, 'tree') })).rejects.toMatchObject({
      code: 'DISK_FULL',
      hint: expect.stringContaining('free some space'),
    })
    expect(readdirSync(disk)).toEqual([])
  })
})

describe('any tree', () => {
  const name = fc.constantFrom('a', 'b', 'lib', 'über', 'x.js', '.hidden')
  const path = fc.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join('/'))
  const content = fc.oneof(
    fc.constant(''),
    fc.string(),
    fc.tuple(fc.nat(200_000), fc.nat(3)).map(([length, seed]) => prose(length, seed)),
    fc.tuple(fc.nat(300_000), fc.nat(3)).map(([length, seed]) => noise(length, seed)),
  )
  const node = fc.oneof(
    { weight: 6, arbitrary: fc.record({ kind: fc.constant('file' as const), content, executable: fc.boolean() }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('directory' as const) }) },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('link' as const), target: fc.constantFrom('a', 'lib/x.js', '.') }),
    },
  )
  /** Paths of which none lies below a file or link, and at least one file. */
  const tree = fc
    .array(fc.tuple(path, node), { minLength: 1, maxLength: 12 })
    .map((entries) =>
      Object.fromEntries(
        entries.filter(([at], row) => !entries.some(([other], from) => from !== row && at.startsWith(`${other}/`))),
      ),
    )
    .filter((nodes) => Object.values(nodes).some(({ kind }) => kind === 'file'))

  test('and any next one come back as they were, through every pack in between', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(tree, { minLength: 2, maxLength: 3 }), async (releases) => {
        let previous: Bundle | undefined
        for (const nodes of releases) {
          previous = await bundle(nodes, previous)
          expect(await install(previous)).toEqual(listInstalled(nodes))
        }
      }),
      { numRuns: 8, interruptAfterTimeLimit: 20_000 },
    )
  })
})
