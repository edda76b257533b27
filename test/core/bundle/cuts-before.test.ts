// Whoever knows how a file was cut before gets the same chunks, with less searching.
import { createHash } from 'node:crypto'
import { describe, expect, test } from '@jest/globals'
import { chunkSizesOf } from '@updraft/core/bundle/chunker'
import { type ChunkedFiles, chunkFiles } from '@updraft/core/bundle/threads/chunk-files'
import { type CutsBefore, followCuts } from '@updraft/core/bundle/threads/cuts-before'
import { scanTree } from '@updraft/core/bundle/tree'
import fc from 'fast-check'
import { makeBuild, noise, prose } from './bundle-support.ts'

const cut = async (content: Buffer, before?: CutsBefore): Promise<ChunkedFiles> => {
  const { root, entries } = await scanTree(makeBuild({ file: content }))
  const files = entries.filter((entry) => entry.kind === 'file')
  return chunkFiles({ root, files, before: [before] }, () => {})
}

const cutsOf = ({ lengths, digests, fileDigests }: ChunkedFiles): CutsBefore => ({
  lengths,
  digests,
  sha256: fileDigests,
})

/** What is cut with the older content known is what is cut without. */
const expectSame = async (older: Buffer, newer: Buffer): Promise<void> => {
  const known = await cut(newer, cutsOf(await cut(older)))
  expect(known).toEqual(await cut(newer))
  expect(Buffer.from(known.fileDigests)).toEqual(createHash('sha256').update(newer).digest())
}

describe('a file is cut as if nothing were known of it', () => {
  const content = Buffer.concat([noise(3_000_000, 1), Buffer.from(prose(3_000_000, 2))])
  const inserted = Buffer.from('inserted')

  test.each([
    ['as it was', content],
    ['longer by a byte', Buffer.concat([content, Buffer.from([0])])],
    ['shorter by a byte', content.subarray(0, -1)],
    ['with bytes put in front', Buffer.concat([inserted, content])],
    ['with bytes put in near its end', Buffer.concat([content.subarray(0, -10), inserted, content.subarray(-10)])],
    [
      'with a stretch replaced',
      Buffer.concat([content.subarray(0, 100_000), noise(900_000, 3), content.subarray(1_000_000)]),
    ],
    ['twice over', Buffer.concat([content, content])],
    ['with its halves exchanged', Buffer.concat([content.subarray(3_000_000), content.subarray(0, 3_000_000)])],
    ['of zeros', Buffer.alloc(content.length)],
    ['empty', Buffer.alloc(0)],
  ])('%s', async (_, newer) => {
    await expectSame(content, newer)
    await expectSame(content.subarray(0, 200_000), newer.subarray(0, 200_000))
  })

  test('whatever it was made of', async () => {
    const pieces = [noise(90_000, 4), Buffer.alloc(150_000), Buffer.from(prose(90_000, 5)), noise(5_000, 6)]
    const contents = fc
      .array(fc.integer({ min: 0, max: pieces.length - 1 }), { maxLength: 6 })
      .map((rows) => Buffer.concat(rows.map((row) => pieces[row] ?? Buffer.alloc(0))))
    await fc.assert(fc.asyncProperty(contents, contents, expectSame), { numRuns: 30 })
  })
})

test('the end of a file is expected only where the file ends', () => {
  const content = noise(10_000, 7)
  const sizes = chunkSizesOf(content.length)
  const sha256 = (bytes: Buffer): Buffer => createHash('sha256').update(bytes).digest()
  const before = { lengths: Uint32Array.of(10_000), digests: sha256(content), sha256: sha256(content) }
  const longer = Buffer.concat([content, Buffer.from('more')])
  expect(followCuts(before, sizes).take(content, 0, 10_000, true)).toEqual({ end: 10_000, digest: sha256(content) })
  expect(followCuts(before, sizes).take(longer, 0, 10_004, true)).toBeUndefined()
  expect(followCuts(before, sizes).take(content, 0, 10_000, false)).toBeUndefined()
  const tooLong = { ...before, lengths: Uint32Array.of(sizes.maxBytes + 1, 5) }
  expect(followCuts(tooLong, sizes).take(noise(200_000, 8), 0, 200_000, true)).toBeUndefined()
})
