// Finds the row of a SHA-256 in a column of digests: a hash table of numbers, because a Map of a million strings costs a
// hundred megabytes. Whoever chooses the digests cannot make it slow, since the mixing is drawn anew for every table.
import { getRandomValues } from 'node:crypto'

export const DIGEST_BYTES = 32

export interface DigestTable {
  /** The row whose digest is the one at `row` of `digests`, or -1. */
  find(digests: Uint8Array, row: number): number
  /** Adds a row of the table's own column, which must not be in it yet. */
  add(row: number): void
}

/** A table over the rows of `column` (32 bytes each), of which at most `capacity` are added. */
export const makeDigestTable = (column: Uint8Array, capacity: number): DigestTable => {
  const slots = new Int32Array(2 ** Math.ceil(Math.log2(capacity + 1) + 1)).fill(-1)
  const mask = slots.length - 1
  const factors = getRandomValues(new Uint32Array(8))
  const own = new DataView(column.buffer, column.byteOffset, column.byteLength)
  return {
    find: (digests, row) => {
      const other = digests === column ? own : viewOf(digests)
      for (let slot = mix(other, row, factors) & mask; ; slot = (slot + 1) & mask) {
        const found = slots[slot] ?? -1
        if (found === -1 || isSame(own, found, other, row)) return found
      }
    },
    add: (row) => {
      let slot = mix(own, row, factors) & mask
      while (slots[slot] !== -1) slot = (slot + 1) & mask
      slots[slot] = row
    },
  }
}

/** All rows of `column`; of equal ones only the first. */
export const digestTableOf = (column: Uint8Array): DigestTable => {
  const rows = column.length / DIGEST_BYTES
  const table = makeDigestTable(column, rows)
  for (let row = 0; row < rows; row += 1) if (table.find(column, row) === -1) table.add(row)
  return table
}

export const digestAt = (column: Uint8Array, row: number): Uint8Array =>
  column.subarray(row * DIGEST_BYTES, (row + 1) * DIGEST_BYTES)

/**
 * The digests of rows `from` to `to`, in memory of their own: a view of a column would take the whole column with it when it
 * is sent to another thread.
 */
export const copyDigests = (column: Uint8Array, from: number, to: number): Uint8Array =>
  new Uint8Array(column.subarray(from * DIGEST_BYTES, to * DIGEST_BYTES))

/** The digests of these rows, end to end. Rows that follow one another are copied at once. */
export const gatherDigests = (column: Uint8Array, rows: ArrayLike<number>): Uint8Array => {
  const gathered = new Uint8Array(rows.length * DIGEST_BYTES)
  for (let at = 0; at < rows.length; ) {
    const first = rows[at] ?? 0
    let count = 1
    while (rows[at + count] === first + count) count += 1
    gathered.set(column.subarray(first * DIGEST_BYTES, (first + count) * DIGEST_BYTES), at * DIGEST_BYTES)
    at += count
  }
  return gathered
}

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)

/** Multilinear hashing with secret factors; the upper bits are folded in because only the lower ones pick a slot. */
const mix = (view: DataView, row: number, factors: Uint32Array): number => {
  let sum = 0
  for (let word = 0; word < 8; word += 1) {
    sum = (sum + Math.imul(view.getUint32(row * DIGEST_BYTES + word * 4), (factors[word] ?? 0) | 1)) | 0
  }
  return (sum ^ (sum >>> 15)) >>> 0
}

const isSame = (a: DataView, rowA: number, b: DataView, rowB: number): boolean => {
  for (let at = 0; at < DIGEST_BYTES; at += 4) {
    if (a.getUint32(rowA * DIGEST_BYTES + at) !== b.getUint32(rowB * DIGEST_BYTES + at)) return false
  }
  return true
}
