import { zstdCompressSync } from 'node:zlib'
import { describe, expect, test } from '@jest/globals'
import { type BundleIndex, sha256OfFile, sizesOf } from '@updraft/core/bundle/bundle-index'
import { encodeIndex, parseIndex, parseIndexInTurns } from '@updraft/core/bundle/index-file'
import { LIMITS } from '@updraft/core/limits'
import fc from 'fast-check'
import { sha256 } from './bundle-support.ts'
import { claim, digestsOf, type EntryClaim, withFrames, withTables } from './index-support.ts'

const MIB = 1024 * 1024

/** Two frames, the second based on the first, with everything that an index can say. */
const honest = (): BundleIndex =>
  claim(
    [
      {
        packed: 50,
        length: 300,
        base: 1,
        chunks: [
          [0, 100],
          [150, 150],
        ],
      },
      {
        packed: 70,
        length: 500,
        chunks: [
          [0, 200],
          [200, 300],
        ],
      },
    ],
    [
      { directory: 'a' },
      { path: 'a/one', chunks: [0] },
      { path: 'a/two', chunks: [1, 2, 3], executable: true },
      { directory: 'empty' },
      { path: 'link', target: 'a/one' },
      'nothing',
      { path: 'repeated', chunks: [2, 2, 0] },
    ],
  )

/** One frame of ten bytes in one chunk, and these entries besides the file that uses it. */
const withEntries = (...entries: EntryClaim[]): BundleIndex =>
  claim([{ packed: 20, length: 10, chunks: [[0, 10]] }], [...entries, { path: 'zz', chunks: [0] }])

/** The same for paths that only a hostile encoder would put into that order. */
const inOrder = (...entries: EntryClaim[]): BundleIndex =>
  claim([{ packed: 20, length: 10, chunks: [[0, 10]] }], [{ path: '!', chunks: [0] }, ...entries])

const encodeTwice = (index: BundleIndex) => encodeIndex(parseIndex(encodeIndex(index)))

describe('an honest index', () => {
  test('of many files is parsed in turns, with the same result', async () => {
    const bytes = encodeIndex(
      claim(
        [{ packed: 20, length: 10, chunks: [[0, 10]] }],
        [
          { path: '!', chunks: [0] },
          ...Array.from({ length: 100_000 }, (_, row) => `file-${String(row).padStart(6, '0')}`),
        ],
      ),
    )
    let turns = 0
    const ticking = setInterval(() => {
      turns += 1
    })
    const index = await parseIndexInTurns(bytes)
    clearInterval(ticking)
    expect(turns).toBeGreaterThan(1)
    expect(index.files).toEqual(parseIndex(bytes).files)
    const aborted = AbortSignal.abort()
    await expect(parseIndexInTurns(bytes, aborted)).rejects.toMatchObject({ code: 'ABORTED' })
  })

  test('comes back as it was', () => {
    const parsed = parseIndex(encodeIndex(honest()))
    expect(JSON.stringify(parsed)).toBe(JSON.stringify(honest()))
    expect(encodeTwice(honest()).equals(encodeIndex(honest()))).toBe(true)
  })

  test('knows the digest of every file and its own sizes', () => {
    const index = parseIndex(encodeIndex(honest()))
    const digest = (path: string) => {
      const file = index.files.find((entry) => entry.path === path)
      return file?.kind === 'file' ? Buffer.from(sha256OfFile(index, file)).toString('hex') : undefined
    }
    expect(digest('nothing')).toBe(sha256(''))
    expect(digest('a/one')).toBe(sha256('chunk 0'))
    expect(digest('a/two')).toBe(sha256('file 0'))
    expect(digest('repeated')).toBe(sha256('file 1'))
    expect(sizesOf(index, 1_234)).toEqual({
      files: 4,
      installedBytes: 100 + 650 + 500,
      indexBytes: 1_234,
      packBytes: 120,
    })
  })

  test('has the first bytes that the format says', () => {
    const bytes = encodeIndex(honest())
    expect(bytes.subarray(0, 8).toString('latin1')).toBe('updraft\u0001')
    expect(bytes.readUInt32LE(8)).toBe(2 + 4 + 2)
    expect(bytes.subarray(16, 48)).toEqual(digestsOf('frame', 1))
  })

  test('may be larger than 4 GiB in sum: offsets are exact beyond 32 bits', () => {
    const frames = Array.from({ length: 700 }, () => ({
      packed: 8 * MIB,
      length: 8 * MIB,
      chunks: [[0, MIB]] as const,
    }))
    const index = parseIndex(encodeIndex(claim(frames, [{ path: 'f', chunks: [...frames.keys()] }])))
    expect(index.frames.offsets[700]).toBe(700 * 8 * MIB)
    expect(index.frames.offsets[513]).toBe(2 ** 32 + 8 * MIB)
  })
})

describe('a lie about frames and chunks', () => {
  const frame = (packed: number, length: number, base = -1) => ({ packed, length, base, chunks: [[0, 10]] as const })
  const two = (second: ReturnType<typeof frame>) => claim([frame(20, 10), second], [{ path: 'f', chunks: [0, 1] }])

  test.each<[what: string, index: () => BundleIndex, code: string, fault: string]>([
    ['a frame without content', () => two(frame(20, 0)), 'LIMIT_EXCEEDED', 'frame 1 has 0 bytes of content'],
    ['a frame beyond the limit', () => two(frame(20, 8 * MIB + 1)), 'LIMIT_EXCEEDED', 'frame 1 has 8388609 bytes'],
    ['a frame of no bytes', () => two(frame(0, 10)), 'BUNDLE_INVALID', 'frame 1 cannot have 0 bytes packed'],
    [
      'a frame that grew by packing',
      () => two(frame(1_000, 10)),
      'BUNDLE_INVALID',
      'cannot have 1000 bytes packed and 10',
    ],
    [
      'a base that does not exist',
      () => two(frame(20, 10, 2)),
      'BUNDLE_INVALID',
      'based on frame 2, which does not exist',
    ],
    [
      'a frame based on itself',
      () => two(frame(20, 10, 1)),
      'BUNDLE_INVALID',
      'based on frame 1, which has a base itself',
    ],
    [
      'a cycle of bases',
      () => withFrames(two(frame(20, 10)), { bases: Int32Array.of(1, 0) }),
      'BUNDLE_INVALID',
      'frame 0 is based on frame 1, which has a base itself',
    ],
    [
      'a chain of bases',
      () => claim([frame(20, 10), frame(20, 10, 0), frame(20, 10, 1)], [{ path: 'f', chunks: [0, 1, 2] }]),
      'BUNDLE_INVALID',
      'frame 2 is based on frame 1, which has a base itself',
    ],
    [
      'a frame that nobody needs',
      () => claim([frame(20, 10), { packed: 20, length: 10, chunks: [] }], [{ path: 'f', chunks: [0] }]),
      'BUNDLE_INVALID',
      'frame 1 has no chunk and is the base of none',
    ],
    [
      'a chunk without bytes',
      () => claim([{ packed: 20, length: 10, chunks: [[0, 0]] }], [{ path: 'f', chunks: [0] }]),
      'LIMIT_EXCEEDED',
      'chunk 0 has 0 bytes',
    ],
    [
      'a chunk beyond the limit',
      () => claim([{ packed: 20, length: 8 * MIB, chunks: [[0, MIB + 1]] }], [{ path: 'f', chunks: [0] }]),
      'LIMIT_EXCEEDED',
      'chunk 0 has 1048577 bytes',
    ],
    [
      'a chunk that reaches out of its frame',
      () => claim([{ packed: 20, length: 10, chunks: [[5, 6]] }], [{ path: 'f', chunks: [0] }]),
      'BUNDLE_INVALID',
      'chunk 0 reaches beyond the end of frame 0',
    ],
    [
      'chunks that are longer than their frame together',
      () =>
        claim(
          [
            {
              packed: 20,
              length: 10,
              chunks: [
                [0, 6],
                [6, 6],
              ],
            },
          ],
          [{ path: 'f', chunks: [0, 1] }],
        ),
      'BUNDLE_INVALID',
      'chunk 1 reaches beyond the end',
    ],
    [
      'more chunks in frames than there are',
      () => withFrames(honest(), { firstChunks: Uint32Array.of(0, 2, 5) }),
      'BUNDLE_INVALID',
      'frames hold 5 chunks, but index has 4',
    ],
    [
      'fewer chunks in frames than there are',
      () => withFrames(honest(), { firstChunks: Uint32Array.of(0, 2, 3) }),
      'BUNDLE_INVALID',
      '',
    ],
    [
      'a chunk that belongs to no file',
      () => claim([frame(20, 10), frame(20, 10)], [{ path: 'f', chunks: [0] }]),
      'BUNDLE_INVALID',
      'chunk 1 belongs to no file',
    ],
    [
      'a file of a chunk that does not exist',
      () => claim([frame(20, 10)], [{ path: 'f', chunks: [0, 1] }]),
      'BUNDLE_INVALID',
      'index has no chunks 0 to 1; it has 1',
    ],
    [
      'a digest of a file too few',
      () => ({ ...honest(), fileDigests: digestsOf('file', 1) }),
      'BUNDLE_INVALID',
      'index has 1 digests of files, and 2 files of two chunks',
    ],
    [
      'a digest of a file too many',
      () => ({ ...honest(), fileDigests: digestsOf('file', 3) }),
      'BUNDLE_INVALID',
      'index has 3 digests of files, and 2',
    ],
    [
      'a file beyond the limit',
      () => claim([{ packed: 99, length: MIB, chunks: [[0, MIB]] }], [{ path: 'f', chunks: Array(65_537).fill(0) }]),
      'LIMIT_EXCEEDED',
      'bytes in "f"',
    ],
    [
      'a release beyond the limit',
      () =>
        claim(
          [{ packed: 99, length: MIB, chunks: [[0, MIB]] }],
          'abcde'.split('').map((path) => ({ path, chunks: Array(65_536).fill(0) })),
        ),
      'LIMIT_EXCEEDED',
      'bytes to install',
    ],
    [
      'a pack beyond the limit',
      () =>
        claim(
          Array.from({ length: 32_769 }, () => ({ packed: 8 * MIB, length: 8 * MIB, chunks: [[0, 1]] })),
          [{ path: 'f', chunks: Array.from({ length: 32_769 }, (_, row) => row) }],
        ),
      'LIMIT_EXCEEDED',
      'pack has 274886295552 bytes',
    ],
  ])('is refused: %s', (_what, index, code, fault) => {
    expect(() => parseIndex(encodeIndex(index()))).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(fault) }),
    )
  })
})

describe('a lie about the tree', () => {
  test.each<[what: string, index: () => BundleIndex, fault: string]>([
    ['an absolute path', () => inOrder('/etc/passwd'), 'has an empty part'],
    ['a path out of the tree', () => inOrder('../x'), 'contains ".."'],
    ['a path with .. inside', () => inOrder({ directory: 'a' }, 'a/../../x'), 'contains ".."'],
    ['the path .', () => inOrder('.'), 'contains "."'],
    ['an empty path', () => inOrder(''), 'has an empty part'],
    ['a double slash', () => inOrder({ directory: 'a' }, 'a//b'), 'has an empty part'],
    ['a backslash', () => inOrder('..\\x'), 'contains one of'],
    ['a drive', () => inOrder('c:x'), 'contains one of'],
    ['a device of Windows', () => inOrder('nul.txt'), 'is a device on Windows'],
    ['a trailing dot', () => inOrder('a.'), 'ends in a space or a dot'],
    ['a control character', () => inOrder('a\u0007'), 'control character'],
    ['a path twice', () => inOrder('a', 'a'), 'is twice in the index or out of order'],
    ['paths out of order', () => inOrder('b', 'a'), 'is twice in the index or out of order'],
    ['a file as its own directory', () => inOrder('a', 'a/b'), 'lies below something that is no directory'],
    [
      'a file below a link',
      () => inOrder({ path: 'a', target: '.' }, 'a/b'),
      'lies below something that is no directory',
    ],
    ['a file below nothing', () => inOrder('a/b'), 'lies below something that is no directory'],
    ['names that differ in case', () => inOrder('A', 'a'), 'differs from another path only in case'],
    [
      'directories that differ in case',
      () => inOrder({ directory: 'A' }, 'A/x', { directory: 'a' }, 'a/y'),
      'differs from another path only in case',
    ],
    [
      'names that differ in the form of an accent',
      () => inOrder('e\u0301', '\u00e9'),
      'differs from another path only in case or in the form',
    ],
    [
      'a path that is too deep',
      () =>
        inOrder(
          ...Array.from({ length: 64 }, (_, depth) => ({
            directory: Array(depth + 1)
              .fill('d')
              .join('/'),
          })),
          Array(65).fill('d').join('/'),
        ),
      '65 parts',
    ],
    ['an absolute link', () => inOrder({ path: 'l', target: '/etc' }), 'points to the absolute path'],
    ['a link out of the tree', () => inOrder({ path: 'l', target: '../x' }), 'points out of the tree'],
    [
      'a link that climbs through another',
      () => inOrder({ directory: 'd' }, { path: 'd/l', target: '..' }, { path: 'm', target: 'd/l/..' }),
      '`..` may only stand in front',
    ],
    ['a link to nothing', () => inOrder({ path: 'l', target: '' }), 'has an empty part'],
    ['no file at all', () => claim([], [{ directory: 'a' }]), 'index has no file'],
    ['no entry at all', () => claim([], []), 'index has no file'],
  ])('is refused: %s', (_what, index, fault) => {
    expect(() => parseIndex(encodeIndex(index()))).toThrow(
      expect.objectContaining({ code: 'BUNDLE_INVALID', message: expect.stringContaining(fault) }),
    )
  })

  test('is refused: a path that is too long', () => {
    const long = 'a'.repeat(200)
    const directories = Array.from({ length: 6 }, (_, depth) => ({
      directory: Array(depth + 1)
        .fill(long)
        .join('/'),
    }))
    expect(() => parseIndex(encodeIndex(inOrder(...directories)))).toThrow(
      expect.objectContaining({ code: 'BUNDLE_INVALID' }),
    )
  })

  test('the control: without the lie the same index is accepted', () => {
    expect(
      parseIndex(encodeIndex(withEntries('a', { directory: 'd' }, { path: 'd/l', target: '..' }))).files,
    ).toHaveLength(4)
  })
})

describe('a lie below the level of columns', () => {
  const bytes = encodeIndex(honest())
  const patched = (at: number, value: number): Buffer => {
    const copy = Buffer.from(bytes)
    copy.writeUInt32LE(value, at)
    return copy
  }
  /** The tables begin with the numbers of frames and of chunks, one byte each here. */
  const counts = (frames: readonly number[], chunks: readonly number[]) =>
    withTables(bytes, (tables) => Buffer.concat([Buffer.from([...frames, ...chunks]), tables.subarray(2)]))
  const million = [0x81, 0x80, 0x40]
  const huge = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f]

  test.each<[what: string, bytes: () => Buffer, code: string, fault: string]>([
    ['nothing at all', () => Buffer.alloc(0), 'BUNDLE_INVALID', 'does not begin like an index'],
    [
      'another magic',
      () => Buffer.concat([Buffer.from('Updraft'), bytes.subarray(7)]),
      'BUNDLE_INVALID',
      'does not begin like an index',
    ],
    [
      'a later format',
      () => Buffer.concat([Buffer.from('updraft\u0002'), bytes.subarray(8)]),
      'BUNDLE_INVALID',
      'format version 2, known is 1',
    ],
    ['fewer digests', () => patched(8, 7), 'BUNDLE_INVALID', ''],
    ['more digests', () => patched(8, 9), 'BUNDLE_INVALID', ''],
    [
      'digests beyond the end',
      () => patched(8, 0xffffffff),
      'BUNDLE_INVALID',
      'promises 4294967295 digests and ends before them',
    ],
    ['shorter tables', () => patched(12, bytes.readUInt32LE(12) - 1), 'BUNDLE_INVALID', 'do not decompress to'],
    ['longer tables', () => patched(12, bytes.readUInt32LE(12) + 1), 'BUNDLE_INVALID', 'decompress to less than'],
    [
      'tables beyond the limit',
      () => patched(12, LIMITS.indexInflatedBytes + 1),
      'LIMIT_EXCEEDED',
      'tables of the index have 67108865 bytes',
    ],
    [
      'a bomb behind honest lengths',
      () => Buffer.concat([bytes.subarray(0, 16 + 8 * 32), zstdCompressSync(Buffer.alloc(64 * MIB))]),
      'BUNDLE_INVALID',
      'do not decompress to',
    ],
    ['more frames than the limit', () => counts(million, [4]), 'LIMIT_EXCEEDED', 'index has 1048577 frames'],
    ['more chunks than the limit', () => counts([2], million), 'LIMIT_EXCEEDED', 'index has 1048577 chunks'],
    ['2^53 - 1 frames', () => counts(huge, [4]), 'LIMIT_EXCEEDED', 'index has 9007199254740991 frames'],
    ['more than 2^53 frames', () => counts([...huge.slice(0, 7), 0x10], [4]), 'BUNDLE_INVALID', 'more than 53 bits'],
    ['more frames than digests', () => counts([9], [4]), 'BUNDLE_INVALID', 'fewer digests'],
    ['a number with needless zeros', () => counts([0x82, 0x00], [4]), 'BUNDLE_INVALID', 'needless zeros'],
    [
      'bytes after the last table',
      () => withTables(bytes, (tables) => Buffer.concat([tables, Buffer.alloc(3)])),
      'BUNDLE_INVALID',
      '3 bytes after its last table',
    ],
    ['a table cut off', () => withTables(bytes, (tables) => tables.subarray(0, -3)), 'BUNDLE_INVALID', ''],
    ['empty tables', () => withTables(bytes, () => Buffer.alloc(0)), 'BUNDLE_INVALID', ''],
    [
      'an unknown kind of entry',
      () => withTables(encodeIndex(withEntries()), (tables) => replaced(tables, 9, 4)),
      'BUNDLE_INVALID',
      'entry 0 of the index is of unknown kind 4',
    ],
    [
      'a run of no chunks',
      () => withTables(encodeIndex(withEntries()), (tables) => replaced(tables, tables.length - 1, 0)),
      'BUNDLE_INVALID',
      'a run of no chunks',
    ],
    [
      'a path that is not UTF-8',
      () => withTables(encodeIndex(withEntries()), (tables) => replaced(tables, 13, 0xff)),
      'BUNDLE_INVALID',
      'path 0 of the index is not UTF-8',
    ],
    [
      'a path that shares more than there was',
      () => withTables(encodeIndex(withEntries()), (tables) => replaced(tables, 10, 1)),
      'BUNDLE_INVALID',
      'path 0 of the index has 1 + 2 bytes',
    ],
  ])('is refused: %s', (_what, bytes, code, fault) => {
    expect(() => parseIndex(bytes())).toThrow(
      expect.objectContaining({ code, message: expect.stringContaining(fault) }),
    )
  })

  test('is refused: four million places of chunks, before memory is taken for them', () => {
    const run = [0x81, 0x80, 0x80, 0x02]
    const many = withTables(encodeIndex(withEntries()), (tables) =>
      Buffer.concat([tables.subarray(0, -1), Buffer.from(run)]),
    )
    expect(() => parseIndex(many)).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED', message: expect.stringContaining('4194305 chunks in files') }),
    )
  })

  test('is refused: an index beyond the limit, unread', () => {
    expect(() => parseIndex(new Uint8Array(LIMITS.indexLengthBytes + 1))).toThrow(
      expect.objectContaining({ code: 'LIMIT_EXCEEDED', message: expect.stringContaining('index has 67108865 bytes') }),
    )
  })

  test('a newer format says that the agent is too old', () => {
    const newer = Buffer.concat([Buffer.from('updraft\u0002'), bytes.subarray(8)])
    expect(() => parseIndex(newer)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('update the agent') }),
    )
  })
})

const replaced = (bytes: Buffer, at: number, value: number): Buffer => {
  const copy = Buffer.from(bytes)
  copy[at] = value
  return copy
}

describe('damage', () => {
  const bytes = encodeIndex(honest())

  test('an index cut off anywhere is refused', () => {
    for (let length = 0; length < bytes.length; length += 1) {
      expect(() => parseIndex(bytes.subarray(0, length))).toThrow(expect.objectContaining({ code: 'BUNDLE_INVALID' }))
    }
  })

  test('a flipped bit anywhere but in a digest is refused or leaves an index that is consistent in itself', () => {
    for (let bit = 0; bit < bytes.length * 8; bit += 1) {
      const flipped = replaced(bytes, bit >> 3, (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7)))
      expectConsistent(flipped)
    }
  })

  test('any tables are refused or leave an index that is consistent in itself', () => {
    const original = withTables(bytes, (tables) => tables)
    fc.assert(
      fc.property(
        fc.array(fc.record({ at: fc.nat(200), value: fc.nat(255), insert: fc.boolean() }), {
          minLength: 1,
          maxLength: 4,
        }),
        (edits) => {
          const changed = withTables(original, (tables) =>
            edits.reduce((result, { at, value, insert }) => {
              const place = at % result.length
              const rest = result.subarray(insert ? place : place + 1)
              return Buffer.concat([result.subarray(0, place), Buffer.from([value]), rest])
            }, tables),
          )
          expectConsistent(changed)
        },
      ),
      { numRuns: 2_000 },
    )
  })
})

/** Either refused with one of our codes, or an index that encodes to one that parses to the same. */
const expectConsistent = (bytes: Buffer): void => {
  let index: BundleIndex
  try {
    index = parseIndex(bytes)
  } catch (error) {
    expect(['BUNDLE_INVALID', 'LIMIT_EXCEEDED']).toContain((error as { code?: string }).code)
    return
  }
  expect(JSON.stringify(parseIndex(encodeIndex(index)))).toBe(JSON.stringify(index))
}
