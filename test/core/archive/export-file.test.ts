// What is accepted as an exported release: exactly what an export writes. Everything else is refused before anything is done.
import { spawnSync } from 'node:child_process'
import { mkdtemp, open, readdir, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { type ExportFile, openExport } from '@updraft/core/archive/export-file'
import { readTarMembers, TAR_END, tarHeaderOf } from '@updraft/core/archive/tar'
import fc from 'fast-check'
import { archiveOf, blocksOf, type Entry, plausibleEntries, sumsOf } from '../../support/archives.ts'

let directory: string
let path: string

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'ud-'))
  path = join(directory, 'x.tar')
})
afterAll(() => rm(directory, { recursive: true, force: true }))

const opened = async (bytes: Buffer): Promise<ExportFile> => {
  await writeFile(path, bytes)
  return await openExport(path)
}

const refusal = async (bytes: Buffer): Promise<{ readonly code?: string; readonly message?: string }> => {
  try {
    await using _file = await opened(bytes)
    return {}
  } catch (error) {
    return error as { code: string; message: string }
  }
}

const MIB = 1024 * 1024
const entries = plausibleEntries()
const whole = archiveOf(entries)
const rest = entries.slice(1)
const first = entries[0] as Entry
/** The plausible archive with its first file in other words. */
const withFirst = (blocks: Buffer): Buffer =>
  Buffer.concat([blocks, ...[...rest, sumsOf(entries)].map((entry) => blocksOf(entry)), TAR_END])

describe('a whole one', () => {
  test('says which release it brings, and is read in place', async () => {
    await using file = await opened(whole)
    expect(file).toMatchObject({ product: 'acme', releases: [{ product: 'acme', version: '1.0.0', platform: 'any' }] })
    expect((await file.read('metadata/timestamp.json', 100)).toString()).toBe('metadata/timestamp.json')
    expect((await file.readPart('bundles/acme_1.0.0_any/pack', 2_998, 2)).toString()).toBe('pp')
    await expect(file.readPart('bundles/acme_1.0.0_any/pack', 2_999, 2)).rejects.toMatchObject({
      code: 'EXPORT_INVALID',
    })
    await expect(file.read('metadata/timestamp.json', 3)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
    await expect(file.read('metadata/2.root.json', 100)).rejects.toMatchObject({ code: 'EXPORT_INVALID' })
    expect(await readdir(directory)).toEqual(['x.tar'])
  })

  test('is understood by tar and sha256sum', async () => {
    await writeFile(path, whole)
    const listed = spawnSync('tar', ['-tf', path])
    expect(listed.stderr.toString()).toBe('')
    expect(listed.stdout.toString().trim().split('\n')).toEqual([...entries.map(({ name }) => name), 'SHA256SUMS'])
  })
})

describe('refuses', () => {
  const cases: readonly (readonly [what: string, bytes: Buffer, says: RegExp])[] = [
    ['an empty file', Buffer.alloc(0), /ends after 0 bytes/],
    ['something else', Buffer.from('#!/bin/sh\n'.repeat(200)), /no header of a tar archive/],
    [
      'a symbolic link',
      withFirst(blocksOf(first, (header) => header.write('2../../etc/passwd', 156))),
      /symbolic link/,
    ],
    ['a hard link', withFirst(blocksOf(first, (header) => header.write('1metadata/x', 156))), /hard link/],
    ['a device', withFirst(blocksOf(first, (header) => header.write('3', 156))), /device/],
    ['a directory', withFirst(blocksOf(first, (header) => header.write('5', 156))), /directory/],
    ['a sparse file', withFirst(blocksOf(first, (header) => header.write('S', 156))), /sparse/],
    ['a set-uid file', withFirst(blocksOf(first, (header) => header.write('0004755', 100))), /not as an export has it/],
    ['an owner', withFirst(blocksOf(first, (header) => header.write('0001750', 108))), /not as an export has it/],
    [
      'a length in another notation',
      withFirst(blocksOf(first, (header) => header.write('\x80', 124, 'latin1'))),
      /octal/,
    ],
    ['a length beyond the end', withFirst(blocksOf(first, (header) => header.write('77777777777', 124))), /ends after/],
    ['a header of GNU tar', withFirst(blocksOf(first, (header) => header.write('ustar  \0', 257))), /no header/],
    ['text behind the name', withFirst(blocksOf(first, (header) => header.write('x', 90))), /not as an export has it/],
    ['padding that is not zero', withFirst(padded(blocksOf(first))), /padding/],
    [
      'a global extended header',
      withFirst(Buffer.concat([pax('g', 'path=x'), blocksOf(first)])),
      /not as an export|extended/,
    ],
    [
      'an extended header that makes it sparse',
      withFirst(Buffer.concat([pax('x', 'GNU.sparse.major=1'), blocksOf(first)])),
      /extended header/,
    ],
    [
      'an extended header that sets a link',
      withFirst(Buffer.concat([pax('x', 'linkpath=/etc'), blocksOf(first)])),
      /extended header/,
    ],
    ['bytes after the end', Buffer.concat([whole, Buffer.alloc(512)]), /follow the end/],
    ['no end', whole.subarray(0, -1_024), /no end/],
    ['half an end', whole.subarray(0, -512), /cut off/],
    ['a lone block of zeros', Buffer.concat([Buffer.alloc(512), whole]), /not the end/],
    ['no sums', Buffer.concat([...entries.map((entry) => blocksOf(entry)), TAR_END]), /SHA256SUMS/],
    ['sums of something else', changed('metadata/timestamp.json', 'other'), /has the SHA-256/],
    [
      'sums that leave something out',
      Buffer.concat([...[...entries, sumsOf(rest)].map((entry) => blocksOf(entry)), TAR_END]),
      /list exactly/,
    ],
    ['a file twice', archiveOf([...entries, first]), /twice/],
    [
      'two products',
      archiveOf([...entries, { name: 'bundles/other_1.0.0_any/index', bytes: Buffer.alloc(1) }]),
      /more than one product/,
    ],
    ['no release', archiveOf(entries.filter(({ name }) => !name.endsWith('/pack'))), /no release/],
    [
      'no index of a pack',
      archiveOf(entries.filter(({ name }) => name !== 'bundles/acme_1.0.0_any/index')),
      /no bundles/,
    ],
    ['no timestamp', archiveOf(entries.filter(({ name }) => !name.includes('timestamp'))), /metadata is of/],
    ['no root', archiveOf(rest), /metadata is of/],
    [
      'two snapshots',
      archiveOf([...entries, { name: 'metadata/8.snapshot.json', bytes: Buffer.alloc(1) }]),
      /metadata is of/,
    ],
    [
      'a target under another digest',
      archiveOf([...entries, { name: `targets/acme/1.0.0/${'0'.repeat(64)}.any.index`, bytes: Buffer.alloc(1) }]),
      /has the SHA-256/,
    ],
    ...[
      '/etc/passwd',
      '../x',
      'metadata/../../x',
      'metadata/1.root.json/',
      'metadata//1.root.json',
      'metadata/x.txt',
      'bundles/acme_1.0.0_any/extra',
      'bundles/acme_1.0.0_../pack',
      'targets/acme/../x.index',
      'repository.json',
      'C:/x',
      `metadata/${'9'.repeat(200)}.root.json`,
    ].map(
      (name) =>
        [
          `the name ${name.slice(0, 40)}`,
          archiveOf([...entries, { name, bytes: Buffer.alloc(1) }]),
          /is no file of a release/,
        ] as const,
    ),
  ]

  test.each(cases.map(([what, bytes, says]) => ({ what, bytes, says })))('$what', async ({ bytes, says }) => {
    expect(await refusal(bytes)).toMatchObject({ code: 'EXPORT_INVALID', message: expect.stringMatching(says) })
    expect(await readdir(directory)).toEqual(['x.tar'])
  })

  test('more files than there can be, without reading on', async () => {
    const many = Array.from({ length: 4_097 }, (_, at) =>
      blocksOf({ name: `metadata/${at + 1}.root.json`, bytes: Buffer.alloc(0) }),
    )
    expect(await refusal(Buffer.concat([...many, TAR_END]))).toMatchObject({
      message: expect.stringMatching(/more than 4096 files/),
    })
  })

  test('a folder, and what is not there', async () => {
    await expect(openExport(directory)).rejects.toMatchObject({ code: 'EXPORT_INVALID' })
    const pipe = join(directory, 'pipe')
    expect(spawnSync('mkfifo', [pipe]).status).toBe(0)
    await expect(openExport(pipe)).rejects.toMatchObject({ code: 'EXPORT_INVALID' })
    await rm(pipe)
    await expect(openExport(join(directory, 'none'))).rejects.toMatchObject({ code: 'IO' })
  })

  test('every file that ends too early', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), async (length) => {
        expect((await refusal(whole.subarray(0, length))).code).toBe('EXPORT_INVALID')
      }),
      { numRuns: 100 },
    )
  })

  test('every changed byte, outside of the pack and its sum, which are judged by who reads it', async () => {
    const packAt = whole.indexOf('p'.repeat(3_000))
    const sumAt = whole.lastIndexOf('bundles/acme_1.0.0_any/pack') - 66
    await fc.assert(
      fc.asyncProperty(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), async (at, mask) => {
        fc.pre((at < packAt || at >= packAt + 3_000) && (at < sumAt || at >= sumAt + 64))
        const bytes = Buffer.from(whole)
        bytes[at] = (bytes[at] ?? 0) ^ mask
        expect((await refusal(bytes)).code).toBe('EXPORT_INVALID')
      }),
      { numRuns: 500 },
    )
  })
})

describe('a name or a length that needs an extended header', () => {
  test.each([
    ['a pack of 9 GiB', 'bundles/acme_1.0.0_any/pack', 9 * 1024 * MIB],
    ['a pack of 8 GiB less a byte', 'bundles/acme_1.0.0_any/pack', 8 * 1024 * MIB - 1],
    ['the longest names', `bundles/${'a'.repeat(64)}_1.0.0-${'b'.repeat(58)}_${'c'.repeat(32)}/pack`, 1],
    [
      'a long name that fits in two parts',
      `targets/${'a'.repeat(64)}/1.0.0-${'b'.repeat(58)}/${'0'.repeat(64)}.any.index`,
      1,
    ],
  ])('%s is read back, by tar as well', async (_, name, lengthBytes) => {
    const header = tarHeaderOf(name, lengthBytes)
    await writeFile(path, header)
    const archiveBytes = header.length + Math.ceil(lengthBytes / 512) * 512 + TAR_END.length
    await truncate(path, archiveBytes)
    await using file = await open(path)
    expect(await readTarMembers(file, archiveBytes)).toEqual([{ name, offset: header.length, lengthBytes }])
    const { stdout, stderr } = spawnSync('tar', ['-tvf', path])
    expect(stderr.toString()).toBe('')
    expect(stdout.toString()).toMatch(new RegExp(`^-rw-r--r-- 0/0 +${lengthBytes} 2000-01-01 .* ${name}\n$`))
  })
})

function padded(blocks: Buffer): Buffer {
  const bytes = Buffer.from(blocks)
  bytes[bytes.length - 1] = 1
  return bytes
}

function pax(type: string, record: string): Buffer {
  const line = `${record.length + 4} ${record}\n`
  return blocksOf({ name: 'pax', bytes: Buffer.from(line) }, (header) => header.write(type, 156))
}

/** The file in other words, with the sums of before. */
function changed(name: string, content: string): Buffer {
  const other = entries.map((entry) => (entry.name === name ? { name, bytes: Buffer.from(content) } : entry))
  const sums = sumsOf(entries)
  return Buffer.concat([...[...other, sums].map((entry) => blocksOf(entry)), TAR_END])
}
