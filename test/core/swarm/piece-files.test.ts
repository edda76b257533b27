// Pieces on disk: across files, exactly where they belong, and never through a link.
import { randomBytes } from 'node:crypto'
import { mkdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { createMetainfo, type Metainfo } from '@updraft/core/swarm/metainfo'
import { geometryOf } from '@updraft/core/swarm/pieces/geometry'
import { openPieceFiles } from '@updraft/core/swarm/pieces/piece-files'
import { checkPieces } from '@updraft/core/swarm/pieces/verify'
import { atEnd, temporaryFolder } from './swarm-support.ts'

const LENGTHS = [10, 0, 40_000, 1, 16_384]

const make = async (): Promise<{ metainfo: Metainfo; all: Buffer; source: string }> => {
  const source = await temporaryFolder()
  const parts = LENGTHS.map((length) => randomBytes(length))
  const files = parts.map((_, i) => ({ path: `deep/${i}`, file: join(source, 'acme', 'deep', `${i}`) }))
  await mkdir(join(source, 'acme', 'deep'), { recursive: true })
  for (const [i, bytes] of parts.entries()) await writeFile(files[i]?.file ?? '', bytes)
  const metainfo = await createMetainfo({ name: 'acme', files, pieceLength: 16_384, trackers: [], webSeeds: [] })
  return { metainfo, all: Buffer.concat(parts), source }
}

const openIn = async (metainfo: Metainfo, directory: string, writable: boolean) => {
  const files = await openPieceFiles({ metainfo, directory, writable })
  atEnd(() => files.close())
  return files
}

test('what is written by piece lies in the files as it should', async () => {
  const [{ metainfo, all, source }, directory] = [await make(), await temporaryFolder()]
  const { pieces, pieceLengthOf } = geometryOf(metainfo)
  const files = await openIn(metainfo, directory, true)
  for (let index = pieces - 1; index >= 0; index -= 1) {
    await files.write(index, all.subarray(index * 16_384, index * 16_384 + pieceLengthOf(index)))
  }
  await files.sync()
  for (const i of LENGTHS.keys()) {
    const [got, expected] = await Promise.all(
      [directory, source].map((at) => readFile(join(at, 'acme', 'deep', `${i}`))),
    )
    expect(got?.equals(expected ?? Buffer.of(1))).toBe(true)
  }
  expect(Buffer.from(await checkPieces(metainfo, files))).toEqual(Buffer.from([0b1111_0000]))
})

test('what lies in a file that was just made is missing unread, until something is written to it', async () => {
  const [{ metainfo, all }, directory] = [await make(), await temporaryFolder()]
  await mkdir(join(directory, 'acme', 'deep'), { recursive: true })
  await writeFile(join(directory, 'acme', 'deep', '0'), all.subarray(0, 10))
  await writeFile(join(directory, 'acme', 'deep', '2'), all.subarray(10, 40_010))
  const files = await openIn(metainfo, directory, true)
  const blank = () => [0, 1, 2, 3].map((index) => files.isBlank(index))
  expect(blank()).toEqual([false, false, true, true])
  const read: number[] = []
  const counted = {
    ...files,
    read: (index: number, offset: number, length: number) => {
      read.push(index)
      return files.read(index, offset, length)
    },
  }
  expect(Buffer.from(await checkPieces(metainfo, counted))).toEqual(Buffer.from([0b1100_0000]))
  expect(read.sort()).toEqual([0, 1])
  await files.write(3, all.subarray(3 * 16_384))
  expect(blank()).toEqual([false, false, true, false])
  await files.write(2, all.subarray(2 * 16_384, 3 * 16_384))
  expect(Buffer.from(await checkPieces(metainfo, files))).toEqual(Buffer.from([0b1111_0000]))
})

test('any range of a piece can be read, and nothing beyond', async () => {
  const { metainfo, all, source } = await make()
  const files = await openIn(metainfo, source, false)
  expect((await files.read(0, 5, 10)).equals(all.subarray(5, 15))).toBe(true)
  expect((await files.read(2, 7_000, 9_000)).equals(all.subarray(2 * 16_384 + 7_000, 2 * 16_384 + 16_000))).toBe(true)
  const beyond = [
    [0, -1, 5],
    [0, 0, 0],
    [0, 16_384, 1],
    [3, 0, 16_384],
  ] as const
  for (const [index, offset, length] of beyond) {
    await expect(files.read(index, offset, length)).rejects.toMatchObject({ code: 'IO' })
  }
})

describe('preparing', () => {
  test('brings files to their length, keeping what is there', async () => {
    const [{ metainfo }, directory] = [await make(), await temporaryFolder()]
    await mkdir(join(directory, 'acme', 'deep'), { recursive: true })
    await writeFile(join(directory, 'acme', 'deep', '2'), 'beginning')
    await writeFile(join(directory, 'acme', 'deep', '3'), 'too long')
    await openIn(metainfo, directory, true)
    const sizes = await Promise.all(LENGTHS.map((_, i) => stat(join(directory, 'acme', 'deep', `${i}`))))
    expect(sizes.map(({ size }) => size)).toEqual(LENGTHS)
    expect((await readFile(join(directory, 'acme', 'deep', '2'))).toString('utf8', 0, 9)).toBe('beginning')
  })

  test('does not write through a link', async () => {
    const [{ metainfo }, directory] = [await make(), await temporaryFolder()]
    const outside = join(await temporaryFolder(), 'outside')
    await writeFile(outside, 'untouched')
    await mkdir(join(directory, 'acme', 'deep'), { recursive: true })
    await symlink(outside, join(directory, 'acme', 'deep', '2'))
    await expect(openPieceFiles({ metainfo, directory, writable: true })).rejects.toMatchObject({ code: 'IO' })
    expect(await readFile(outside, 'utf8')).toBe('untouched')
  })

  test('only to read demands that everything is there', async () => {
    const [{ metainfo, source }, nothing] = [await make(), await temporaryFolder()]
    await expect(openPieceFiles({ metainfo, directory: nothing, writable: false })).rejects.toMatchObject({
      code: 'IO',
    })
    await writeFile(join(source, 'acme', 'deep', '3'), 'xx')
    await expect(openPieceFiles({ metainfo, directory: source, writable: false })).rejects.toMatchObject({
      code: 'IO',
      message: expect.stringMatching(/3 has 2 bytes in the place of 1/),
    })
  })
})

test('files that nobody uses are closed, and opened again', async () => {
  const { metainfo, all, source } = await make()
  const files = await openIn(metainfo, source, false)
  await files.closeIdle()
  const reading = files.read(0, 0, 100)
  await files.closeIdle()
  await files.closeIdle()
  expect((await reading).equals(all.subarray(0, 100))).toBe(true)
  expect((await files.read(0, 0, 100)).equals(all.subarray(0, 100))).toBe(true)
  await files.close()
  await expect(files.read(0, 0, 1)).rejects.toMatchObject({ code: 'ABORTED' })
})

test('content that is kept in other files than the torrent has is read and written there, but never in fixed ones', async () => {
  const [{ metainfo, all }, directory] = [await make(), await temporaryFolder()]
  const stored = Array.from({ length: 100 }, (_, row) => ({
    path: `frames/${row}`,
    lengthBytes: row < 99 ? 500 : all.length - 99 * 500,
    isFixed: row === 3,
  }))
  await mkdir(join(directory, 'acme/frames'), { recursive: true })
  await writeFile(join(directory, 'acme/frames/3'), Buffer.alloc(500, 7))
  const files = await openPieceFiles({ metainfo, directory, stored, writable: true })
  atEnd(() => files.close())
  const { pieces, pieceLengthOf } = geometryOf(metainfo)
  for (let index = 0; index < pieces; index += 1) {
    await files.write(index, all.subarray(index * 16_384, index * 16_384 + pieceLengthOf(index)))
  }
  await files.sync()
  let at = 0
  for (const { path, lengthBytes, isFixed } of stored) {
    const expected = isFixed ? Buffer.alloc(500, 7) : all.subarray(at, at + lengthBytes)
    expect((await readFile(join(directory, 'acme', path))).equals(expected)).toBe(true)
    at += lengthBytes
  }
  expect((await files.read(1, 0, 16_384)).equals(all.subarray(16_384, 32_768))).toBe(true)
})
