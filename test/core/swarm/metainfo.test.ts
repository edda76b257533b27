// Metainfo: made the same every time, opened by other implementations, and refused in every malformed form.
import { createHash, randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { LIMITS } from '@updraft/core/limits'
import { type Encodable, encodeBencode } from '@updraft/core/swarm/bencode'
import { createMetainfo, infoBytesOf, parseMetainfo, pieceLengthFor } from '@updraft/core/swarm/metainfo'
import bencode from 'bencode'

const KIB = 1024

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'updraft-metainfo-'))
})
afterEach(() => rm(folder, { recursive: true }))

const write = async (name: string, bytes: Uint8Array): Promise<string> => {
  const file = join(folder, name)
  await writeFile(file, bytes)
  return file
}

const sha1 = (bytes: Uint8Array): Buffer => createHash('sha1').update(bytes).digest()

describe('createMetainfo', () => {
  test('hashes pieces across the boundaries of files', async () => {
    const parts = [randomBytes(10_000), randomBytes(0), randomBytes(5 * 1024 * KIB + 7), randomBytes(3)]
    const files = await Promise.all(parts.map((bytes, i) => write(`f${i}`, bytes)))
    const metainfo = await createMetainfo({
      name: 'acme_1.0.0_any',
      files: files.map((file, i) => ({ path: `part/${i}`, file })),
      pieceLength: 16 * KIB,
      trackers: ['http://127.0.0.1:1/announce', 'udp://127.0.0.1:2'],
      webSeeds: ['http://127.0.0.1:1/bundles/'],
    })
    const all = Buffer.concat(parts)
    const hashes = Array.from({ length: Math.ceil(all.length / (16 * KIB)) }, (_, i) =>
      sha1(all.subarray(i * 16 * KIB, (i + 1) * 16 * KIB)),
    )
    expect(Buffer.from(metainfo.pieceHashes)).toEqual(Buffer.concat(hashes))
    expect(metainfo).toMatchObject({
      name: 'acme_1.0.0_any',
      lengthBytes: all.length,
      files: parts.map((bytes, i) => ({ path: `part/${i}`, lengthBytes: bytes.length })),
      trackers: ['http://127.0.0.1:1/announce', 'udp://127.0.0.1:2'],
      webSeeds: ['http://127.0.0.1:1/bundles/'],
    })
  })

  test('gives the same bytes for the same input, with neither date nor program in them', async () => {
    const file = await write('pack', randomBytes(100_000))
    const make = () =>
      createMetainfo({
        name: 'n',
        files: [{ path: 'pack', file }],
        pieceLength: 16 * KIB,
        trackers: ['http://t.example/announce'],
        webSeeds: [],
      })
    const [first, second] = [await make(), await make()]
    expect(Buffer.from(first.bytes)).toEqual(Buffer.from(second.bytes))
    expect(Object.keys(bencode.decode(first.bytes) as object)).toEqual(['announce', 'info'])
  })

  test('agrees with another implementation about the info hash', async () => {
    const file = await write('pack', randomBytes(100_000))
    const metainfo = await createMetainfo({
      name: 'grüße',
      files: [{ path: 'pack', file }],
      pieceLength: 32 * KIB,
      trackers: [],
      webSeeds: ['http://w.example/'],
    })
    const info = bencode.encode((bencode.decode(metainfo.bytes) as { info: unknown }).info)
    expect(metainfo.infoHash).toBe(sha1(info).toString('hex'))
    expect(Buffer.from(infoBytesOf(metainfo))).toEqual(Buffer.from(info))
  })

  test('reports progress up to the whole', async () => {
    const file = await write('pack', randomBytes(9 * 1024 * KIB))
    const seen: number[] = []
    await createMetainfo({
      name: 'n',
      files: [{ path: 'pack', file }],
      pieceLength: 64 * KIB,
      trackers: [],
      webSeeds: [],
      onProgress: ({ doneBytes }) => seen.push(doneBytes),
    })
    expect(seen.length).toBeGreaterThan(1)
    expect(seen.at(-1)).toBe(9 * 1024 * KIB)
  })

  test('stops when it is told to', async () => {
    const file = await write('pack', randomBytes(100))
    const options = { name: 'n', files: [{ path: 'p', file }], pieceLength: 16 * KIB, trackers: [], webSeeds: [] }
    await expect(createMetainfo({ ...options, signal: AbortSignal.abort() })).rejects.toMatchObject({ code: 'ABORTED' })
  })

  test('says which file is missing', async () => {
    const options = { name: 'n', pieceLength: 16 * KIB, trackers: [], webSeeds: [] }
    const missing = join(folder, 'missing')
    await expect(createMetainfo({ ...options, files: [{ path: 'p', file: missing }] })).rejects.toMatchObject({
      code: 'IO',
      message: expect.stringContaining(missing),
    })
  })

  test('refuses to make what it would not parse', async () => {
    const file = await write('pack', randomBytes(100))
    const options = { name: 'n', files: [{ path: 'p', file }], pieceLength: 16 * KIB, trackers: [], webSeeds: [] }
    await expect(createMetainfo({ ...options, pieceLength: 20_000 })).rejects.toMatchObject({
      code: 'METAINFO_INVALID',
    })
    await expect(createMetainfo({ ...options, name: '..' })).rejects.toMatchObject({ code: 'METAINFO_INVALID' })
    await expect(createMetainfo({ ...options, files: [] })).rejects.toMatchObject({ code: 'METAINFO_INVALID' })
  })
})

test('piece length grows with the size, and the number of pieces stays bounded', () => {
  const MIB = 1024 * KIB
  expect([0, 1, 8 * MIB, 8 * MIB + 1, 16 * MIB + 1, 128 * MIB].map(pieceLengthFor)).toEqual(
    [16, 16, 16, 32, 64, 64].map((kib) => kib * KIB),
  )
  expect([128 * MIB + 1, 1024 * MIB, 2048 * MIB].map(pieceLengthFor)).toEqual([128, 128, 128].map((kib) => kib * KIB))
  expect(pieceLengthFor(2 ** 31 + 1)).toBe(256 * KIB)
  expect(LIMITS.installedLengthBytes / pieceLengthFor(LIMITS.installedLengthBytes)).toBeLessThanOrEqual(16_384)
})

describe('parseMetainfo', () => {
  const file = (path: Encodable, length: Encodable = 20_000): Encodable => ({ path, length })
  const info = (changes: Record<string, Encodable> = {}): Record<string, Encodable> => ({
    name: 'acme_1.0.0_any',
    files: [file(['index'], 1_000), file(['pack'], 20_000)],
    'piece length': 16_384,
    pieces: Buffer.alloc(40, 7),
    ...changes,
  })
  const parse = (infoDictionary: Encodable, root: Record<string, Encodable> = {}) =>
    parseMetainfo(encodeBencode({ ...root, info: infoDictionary }))

  test('accepts what a publisher makes', () => {
    expect(parse(info())).toMatchObject({
      name: 'acme_1.0.0_any',
      lengthBytes: 21_000,
      files: [
        { path: 'index', lengthBytes: 1_000 },
        { path: 'pack', lengthBytes: 20_000 },
      ],
    })
  })

  test('takes one web seed as text, several trackers in tiers, and drops repetitions', () => {
    const parsed = parse(info(), {
      announce: 'http://a',
      'announce-list': [['http://b', 'http://c'], ['http://b']],
      'url-list': 'http://w/',
    })
    expect(parsed.trackers).toEqual(['http://b', 'http://c'])
    expect(parsed.webSeeds).toEqual(['http://w/'])
  })

  test('the info hash covers the bytes as they stand', () => {
    const bytes = encodeBencode({ info: info() })
    expect(parseMetainfo(bytes).infoHash).toBe(sha1(bytes.subarray('d4:info'.length, -1)).toString('hex'))
  })

  const twoFiles = (first: readonly string[], second: readonly string[]) =>
    info({ files: [file(first, 1_000), file(second)] })

  test.each<[string, Encodable, RegExp]>([
    ['no dictionary', 'text', /info is not a dictionary/],
    ['no name', { ...info(), name: 7 }, /name/],
    ['a name that leaves the folder', info({ name: '..' }), /not a safe file name/],
    ['a name with a separator', info({ name: 'a/b' }), /not a safe file name/],
    ['a name that is not UTF-8', info({ name: Buffer.from([0xff]) }), /not a safe file name/],
    ['no files', info({ files: [] }), /no files/],
    ['a single file in the place of several', { ...info(), length: 5 }, /"length"/],
    ['version 2', { ...info(), 'meta version': 2 }, /"meta version"/],
    ['a file tree', { ...info(), 'file tree': {} }, /"file tree"/],
    ['a path of no parts', info({ files: [file([])] }), /empty path/],
    ['a path part that leaves the folder', info({ files: [file(['..', 'x'])] }), /not a safe/],
    ['a path part with a separator', info({ files: [file(['a/../b'])] }), /not a safe/],
    ['a path part with a backslash', info({ files: [file(['a\\b'])] }), /not a safe/],
    ['a path part with NUL', info({ files: [file(['a\0'])] }), /not a safe/],
    ['an empty path part', info({ files: [file([''])] }), /not a safe/],
    ['a device name', info({ files: [file(['COM1.txt'])] }), /not a safe/],
    ['a trailing dot', info({ files: [file(['pack.'])] }), /not a safe/],
    ['a stream name', info({ files: [file(['pack:x'])] }), /not a safe/],
    ['a path twice', twoFiles(['pack'], ['pack']), /twice/],
    ['paths that differ in case', twoFiles(['pack'], ['Pack']), /twice/],
    ['paths that differ in Unicode form', twoFiles(['\u00e9'], ['e\u0301']), /twice/],
    ['a file below a file', twoFiles(['a'], ['a', 'b']), /below a file/],
    ['a symbolic link', info({ files: [{ attr: 'l', length: 0, path: ['x'] }] }), /keys/],
    ['a negative length', info({ files: [file(['pack'], -1)] }), /length/],
    ['no bytes at all', info({ files: [file(['pack'], 0)], pieces: '' }), /no bytes/],
    ['one piece hash too few', info({ pieces: Buffer.alloc(20) }), /piece hashes/],
    ['one piece hash too many', info({ pieces: Buffer.alloc(60) }), /piece hashes/],
    ['half a piece hash', info({ pieces: Buffer.alloc(39) }), /piece hashes/],
    ['a piece length of 0', info({ 'piece length': 0 }), /piece length/],
    ['a piece length that is too small', info({ 'piece length': 8_192 }), /piece length/],
    ['a piece length that is no power of two', info({ 'piece length': 20_000 }), /piece length/],
    ['a piece length that is too large', info({ 'piece length': 32 << 20 }), /piece length/],
  ])('refuses %s', (_, dictionary, message) => {
    expect(() => parse(dictionary)).toThrow(
      expect.objectContaining({ code: 'METAINFO_INVALID', message: expect.stringMatching(message) }),
    )
  })

  test.each<[string, () => unknown]>([
    ['bytes', () => parseMetainfo(Buffer.alloc(LIMITS.metainfoLengthBytes + 1))],
    ['files', () => parse(info({ files: Array.from({ length: 257 }, (_, i) => file([`${i}`], 1)) }))],
    ['parts of a path', () => parse(info({ files: [file(Array.from({ length: 65 }, () => 'a'))] }))],
    ['bytes in a file', () => parse(info({ files: [file(['pack'], LIMITS.installedLengthBytes + 1)] }))],
    [
      'bytes in all files',
      () => parse(info({ files: ['a', 'b'].map((name) => file([name], LIMITS.installedLengthBytes)) })),
    ],
    ['trackers', () => parse(info(), { 'announce-list': [Array.from({ length: 17 }, (_, i) => `http://t/${i}`)] })],
    ['web seeds', () => parse(info(), { 'url-list': Array.from({ length: 17 }, (_, i) => `http://w/${i}`) })],
  ])('refuses too many %s', (_, act) => {
    expect(act).toThrow(expect.objectContaining({ code: 'LIMIT_EXCEEDED' }))
  })

  test('refuses what is not bencoded, and keys out of order', () => {
    expect(() => parseMetainfo(Buffer.from('<html>'))).toThrow(expect.objectContaining({ code: 'METAINFO_INVALID' }))
    const swapped = Buffer.from(encodeBencode({ info: info() }).toString().replace('4:name', '4:mame'), 'latin1')
    expect(() => parseMetainfo(swapped)).toThrow(expect.objectContaining({ code: 'METAINFO_INVALID' }))
  })
})
