// "Index patches" of docs/bundle-format.md: a newer index made of an older one and a patch.
import { assert } from './model.ts'
import { openIndex } from './read-index.ts'
import { foldIndex } from './write-index.ts'
import { decompressUpTo } from './zstd.ts'

const LIMIT_LOG = 27

/** The caller compares the SHA-256 of what comes back with the signed one. */
export const applyIndexPatch = (older: Buffer, patch: Buffer): Buffer => {
  const { header, digests, tables } = openIndex(older)
  const dictionary = Buffer.concat([header, digests, tables])
  const limit = 2 ** LIMIT_LOG - dictionary.length
  assert(limit > 0, 'older index is too long')
  const unfolded = decompressUpTo(patch, { length: limit, windowLogMax: LIMIT_LOG, dictionary })
  const tablesAt = 16 + 32 * unfolded.readUInt32LE(8)
  assert(tablesAt + unfolded.readUInt32LE(12) === unfolded.length, 'not an index unfolded')
  return foldIndex(unfolded.subarray(0, 16), unfolded.subarray(16, tablesAt), unfolded.subarray(tablesAt))
}
