// Indexes that break one rule of docs/bundle-format.md each, and odd ones that break none.
import { RIGHT, type Spelling } from './bundle-format/spell-index.ts'

type Wrong = Partial<Spelling>

const MIB = 1024 * 1024

const frame = (number: number, wrong: Partial<Spelling['frames'][number]>): Wrong => ({
  frames: RIGHT.frames.map((right, place) => (place === number ? { ...right, ...wrong } : right)),
})
const chunk = (number: number, wrong: Partial<Spelling['chunks'][number]>): Wrong => ({
  chunks: RIGHT.chunks.map((right, place) => (place === number ? { ...right, ...wrong } : right)),
})
const path = (number: number, wrong: Spelling['paths'][number]): Wrong => ({
  paths: RIGHT.paths.map((right, place) => (place === number ? wrong : right)),
})

/** Entries without content. */
const entries = (...list: readonly (readonly [kind: number, path: string | Buffer])[]): Wrong => ({
  frames: [],
  chunks: [],
  kinds: list.map(([kind]) => kind),
  paths: list.map(([, rest], number) => {
    const before = Buffer.from(list[number - 1]?.[1] ?? '')
    const bytes = Buffer.from(rest)
    const differs = bytes.findIndex((byte, place) => byte !== before[place])
    const shared = differs === -1 ? Math.min(bytes.length, before.length) : differs
    return { shared, rest: bytes.subarray(shared) }
  }),
  runs: list.filter(([kind]) => kind <= 1).map(() => []),
  targets: list.filter(([kind]) => kind === 3).map(() => 'a'),
})
const files = (...paths: readonly (string | Buffer)[]): Wrong => entries(...paths.map((name) => [0, name] as const))

/** Files of one chunk of 1 MiB over and over. */
const mebibytes = (...counts: readonly number[]): Wrong => ({
  ...files(...counts.map((_, number) => String.fromCharCode(97 + number))),
  frames: [{ packed: 10, length: MIB, base: 0, chunks: 1 }],
  chunks: [{ skip: 0, length: MIB }],
  runs: counts.map((count, file) =>
    Array.from({ length: count }, (_, run) => ({ first: file + run === 0 ? 0 : 1, length: 1 })),
  ),
})

const framesOf8Mib = (count: number): Wrong => ({
  ...files('a'),
  frames: Array.from({ length: count }, () => ({ packed: 8 * MIB, length: 8 * MIB, base: 0, chunks: 1 })),
  chunks: Array.from({ length: count }, () => ({ skip: 0, length: 1 })),
  runs: [[{ first: 0, length: count }]],
})

const PATHS: readonly string[] = [
  ...['', '.', '..', '/a', 'a/', 'a//b', 'a.', 'a ', 'x'.repeat(256), 'a\\b', 'a:', 'a*', 'a?', 'a"', 'a<', 'a>', 'a|'],
  ...['a\u0000', 'a\u001f', 'a\u007f', 'a\u009f', 'a\u2028', 'a\u2029'],
  ...['con', 'PRN', 'aux.x', 'nul .x', 'conin$', 'CONOUT$', 'com0', 'LPT³ . x', 'com¹'],
]
const TWINS: readonly (readonly [string, string])[] = [
  ['A', 'a'],
  ['ss', 'ß'],
  ['I', 'ı'],
  ['e\u0301', 'é'],
  ['FF', 'ﬀ'],
  ['\u0390', '\u03aa\u0301'],
]
const TARGETS: readonly string[] = [
  '',
  '../..',
  '../',
  '/a',
  'a/',
  'a//b',
  'a/..',
  './a',
  '../.',
  '../con',
  'a:',
  '...',
]

export const WRONG: Readonly<Record<string, Wrong>> = {
  'a version that is not known': { version: 2 },
  'tables shorter than they should be': { tablesLength: (length) => length + 1 },
  'tables longer than they should be': { tablesLength: (length) => length - 1 },
  'tables of more than 64 MiB': { tablesLength: () => 64 * MIB + 1 },
  'tables that end too early': { tables: (tables) => tables.subarray(0, -1) },
  'bytes after the last column': { tables: (tables) => Buffer.concat([tables, Buffer.alloc(1)]) },
  'tables that are no frame': { packTables: (tables) => tables },
  'a digest too few': { digests: (digests) => digests.slice(1) },
  'a digest too many': { digests: (digests) => [...digests, ...digests.slice(0, 1)] },
  'more digests than there are bytes': { digestCount: () => 2 ** 32 - 1 },
  'a number with a needless zero byte': {
    tables: (tables) => Buffer.concat([Buffer.from('8200', 'hex'), tables.subarray(1)]),
  },
  'a number of 2^53': {
    tables: (tables) => Buffer.concat([Buffer.from('8080808080808010', 'hex'), tables.subarray(1)]),
  },
  'too many frames': { frameCount: () => 1_048_577 },
  'more frames than there are bytes': { frameCount: () => 1_000_000 },
  'too many chunks': { chunkCount: () => 1_048_577 },
  'too many entries': { entryCount: () => 500_001 },
  'more entries than there are bytes': { entryCount: () => 400_000 },
  'a frame packed into nothing': frame(0, { packed: 0 }),
  'a frame packed into too much': frame(0, { packed: 50 + 63 + 64 + 1 }),
  'a large frame packed into too much': frame(0, { length: 8 * MIB, packed: 8 * MIB + 32_768 + 64 + 1 }),
  'a frame of more than 8 MiB': frame(0, { length: 8 * MIB + 1 }),
  'a frame based on itself': frame(0, { base: 1 }),
  'a base with a base': frame(1, { base: 1 }),
  'a base that is not there': frame(0, { base: 3 }),
  'fewer chunks in the frames than there are': frame(0, { chunks: 1 }),
  'more chunks in the frames than there are': frame(0, { chunks: 3 }),
  'a frame with no chunk that is the base of none': {
    frames: [
      { packed: 20, length: 200, base: 0, chunks: 4 },
      { packed: 30, length: 40, base: 0, chunks: 0 },
    ],
  },
  'a chunk of nothing': chunk(0, { length: 0 }),
  'a chunk of more than 1 MiB': { ...frame(0, { length: 2 * MIB }), ...chunk(0, { length: MIB + 1 }) },
  'a chunk that reaches beyond its frame': chunk(0, { length: 21 }),
  'a chunk that no file has': { runs: [[{ first: 0, length: 2 }], [{ first: 0, length: 1 }]] },
  'a run of nothing': {
    runs: [
      [
        { first: 4, length: 2 },
        { first: 7, length: 0 },
      ],
      [{ first: 2, length: 1 }],
    ],
  },
  'a run behind the last chunk': { runs: [[{ first: 4, length: 3 }], [{ first: 9, length: 1 }]] },
  'a run before the first chunk': { runs: [[{ first: 1, length: 2 }], [{ first: 0, length: 4 }]] },
  'more than 4,194,304 chunks in the runs': {
    ...files('a'),
    frames: [{ packed: 10, length: 65_536, base: 0, chunks: 65_536 }],
    chunks: Array.from({ length: 65_536 }, () => ({ skip: 0, length: 1 })),
    runs: [
      Array.from({ length: 65 }, (_, run) => ({
        first: run === 0 ? 0 : 2 * 65_536 - 1,
        length: run < 64 ? 65_536 : 1,
      })),
    ],
  },
  'a file of more than 64 GiB': mebibytes(65_537),
  'a release of more than 256 GiB': mebibytes(65_536, 65_536, 65_536, 65_536, 1),
  'a pack of more than 256 GiB': framesOf8Mib(32_769),
  'no entry': files(),
  'no file': entries([2, 'a'], [3, 'b']),
  'a kind that is not known': { kinds: [0, 2, 1, 4] },
  'a path that shares more than there is': path(3, { shared: 8, rest: 'x' }),
  'a path twice': path(2, { shared: 3, rest: '' }),
  'paths out of order': files('b', 'a'),
  'paths ordered without regard to what / means': entries([2, 'a'], [0, 'a-'], [0, 'a/b']),
  'a path below nothing': files('a/b'),
  'a path below a file': files('a', 'a/b'),
  'a path below a link': entries([3, 'a'], [0, 'a/b']),
  'a path of more than 1,024 bytes': longPath(5, 'x'.repeat(205)),
  'a path of more than 64 parts': longPath(65, 'x'),
  'a path that is not UTF-8': files(Buffer.from('ff', 'hex')),
  'a path of half a character': files(Buffer.from('eda080', 'hex')),
  'a target that is not UTF-8': { targets: [Buffer.from('61ff', 'hex')] },
  'a target of more than 1,024 bytes': { targets: [Array.from({ length: 5 }, () => 'y'.repeat(205)).join('/')] },
  ...Object.fromEntries(PATHS.map((name) => [`the path ${JSON.stringify(name)}`, files(name)])),
  ...Object.fromEntries(
    TWINS.map(([a, b]) => [`the twins ${JSON.stringify(a)} and ${JSON.stringify(b)}`, files(a, b)]),
  ),
  ...Object.fromEntries(TARGETS.map((target) => [`the target ${JSON.stringify(target)}`, { targets: [target] }])),
}

/** A file below directories that are all there. */
function longPath(count: number, part: string): Wrong {
  const names = Array.from({ length: count }, (_, index) => Array.from({ length: index + 1 }, () => part).join('/'))
  return entries(...names.map((name, index) => [index === count - 1 ? 0 : 2, name] as const))
}

export const ODD: Readonly<Record<string, Wrong>> = {
  'nothing odd': {},
  'one empty file': files('a'),
  'a byte order mark': files('\ufeffa'),
  'a path cut in a character': {
    ...files('é', 'ê'),
    paths: [
      { shared: 0, rest: 'é' },
      { shared: 1, rest: Buffer.from('aa', 'hex') },
    ],
  },
  'names that only look like devices': files('com', 'com10', 'com\u0661', 'con x'),
  '/ before every other byte': entries([2, 'a'], [0, 'a/b'], [0, 'a-']),
  'a path of 1,024 bytes': longPath(5, 'x'.repeat(204)),
  'a path of 64 parts': longPath(64, 'x'),
  'a link to its own folder': { targets: ['.'] },
  'a link to the top': { targets: ['..'] },
  'a link far down': { targets: [Array.from({ length: 200 }, () => 'y').join('/')] },
  'a key frame with no chunk': {
    frames: [
      { packed: 20, length: 200, base: 2, chunks: 4 },
      { packed: 30, length: 40, base: 0, chunks: 0 },
    ],
  },
  'the same frame twice': {
    digests: (digests) => [...digests.slice(0, 1), ...digests.slice(0, 1), ...digests.slice(2)],
  },
  'a frame packed into all that it may': frame(0, { packed: 50 + 63 + 64 }),
  'a chunk of 1 MiB': { ...frame(0, { length: 2 * MIB }), ...chunk(0, { length: MIB }) },
  'a file of 64 GiB': mebibytes(65_536),
  'a pack of 256 GiB': framesOf8Mib(32_768),
}
