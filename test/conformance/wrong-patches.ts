// Patches that break one rule of docs/bundle-format.md each, and odd ones that break none; all from SOURCE to TARGET.
import { noise } from '../core/bundle/bundle-support.ts'
import { leb128 } from './bundle-format/columns.ts'
import { compress } from './bundle-format/zstd.ts'

export const SOURCE = noise(1000, 'patch source')

/** What RIGHT makes: 400 bytes from 100 on, "hello", 50 bytes from 0 on; two of the copied bytes are changed. */
export const TARGET = Buffer.concat([SOURCE.subarray(100, 500), Buffer.from('hello'), SOURCE.subarray(0, 50)])
TARGET.writeUInt8((TARGET.readUInt8(7) + 3) & 255, 7)
TARGET.writeUInt8((TARGET.readUInt8(410) + 200) & 255, 410)

interface Spelling {
  readonly version: number
  readonly operations: number
  /** As they are written. */
  readonly moves: readonly number[]
  readonly copies: readonly number[]
  readonly literalBytes: readonly number[]
  readonly literals: string
  readonly skips: readonly number[]
  readonly runs: readonly number[]
  readonly changes: readonly number[]
  readonly more: Buffer
  readonly columnsBytes: (length: number) => number
  readonly frameBytes: (length: number) => number
  readonly dictionary: Buffer | undefined
  readonly dictionaryAt: bigint
  readonly behind: Buffer
}

const same = <T>(value: T): T => value

const RIGHT: Spelling = {
  version: 1,
  operations: 2,
  moves: [200, 999],
  copies: [400, 50],
  literalBytes: [5, 0],
  literals: 'hello',
  skips: [7, 397],
  runs: [1, 1],
  changes: [3, 200],
  more: Buffer.alloc(0),
  columnsBytes: same,
  frameBytes: same,
  dictionary: undefined,
  dictionaryAt: 0n,
  behind: Buffer.alloc(0),
}

export const spellPatch = (wrong: Partial<Spelling>): Buffer => {
  const it = { ...RIGHT, ...wrong }
  const columns = Buffer.concat([
    leb128([it.operations, ...it.moves, ...it.copies, ...it.literalBytes]),
    Buffer.from(it.literals),
    leb128([it.runs.length, ...it.skips, ...it.runs]),
    Buffer.from(it.changes),
    it.more,
  ])
  const frame = compress(columns, { level: 19, windowLogMax: 24, dictionary: it.dictionary })
  const header = Buffer.alloc(28)
  header.write('updelta', 'latin1')
  header.writeUInt8(it.version, 7)
  header.writeUInt32LE(it.frameBytes(frame.length), 8)
  header.writeUInt32LE(it.columnsBytes(columns.length), 12)
  header.writeUInt32LE(it.dictionary?.length ?? 0, 16)
  header.writeBigUInt64LE(it.dictionaryAt, 20)
  return Buffer.concat([header, frame, it.behind])
}

export const WRONG_PATCHES: Readonly<Record<string, Partial<Spelling>>> = {
  'a version that is not known': { version: 2 },
  'bytes behind the last segment': { behind: Buffer.alloc(1) },
  'bytes after the last column': { more: Buffer.alloc(1) },
  'a frame that ends behind the patch': { frameBytes: (length) => length + 1 },
  'a frame that is cut': { frameBytes: (length) => length - 1 },
  'a frame longer than its content allows': { frameBytes: (length) => length + 300, behind: Buffer.alloc(300) },
  'columns shorter than they should be': { columnsBytes: (length) => length + 1 },
  'columns longer than they should be': { columnsBytes: (length) => length - 1 },
  'columns longer than the segment allows': { columnsBytes: () => 2 * TARGET.length + 65 },
  'a dictionary that reaches beyond the source': { dictionary: SOURCE, dictionaryAt: 1n },
  'a dictionary far beyond the source': { dictionary: SOURCE, dictionaryAt: 2n ** 63n },
  'more operations than there are bytes': { operations: 1_000_000 },
  'literals that are missing': { literals: 'hell' },
  'a copy that reads beyond the end of the source': { moves: [2 * 601, 2 * 1000 + 1] },
  'a copy that reads before the source': { moves: [200, 1001] },
  'a copy that writes beyond the segment': { copies: [400, 51] },
  'a part of the segment left out': { copies: [400, 49] },
  'a change behind what was copied': { skips: [7, 443] },
  'a run of changes that ends behind what was copied': { skips: [7, 441], runs: [1, 2], changes: [3, 1, 1] },
}

export const ODD_PATCHES: Readonly<Record<string, Partial<Spelling>>> = {
  'nothing odd': {},
  'a dictionary': { dictionary: SOURCE.subarray(10, 700), dictionaryAt: 10n },
  'an operation that does nothing, far away': {
    operations: 3,
    moves: [200, 999, 1_000_000],
    copies: [400, 50, 0],
    literalBytes: [5, 0, 0],
  },
  'a run of no changes': { skips: [7, 100, 297], runs: [1, 0, 1] },
}
