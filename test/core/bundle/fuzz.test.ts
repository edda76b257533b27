// Indexes, packs and patches with damage that nobody thought of. For three seconds each; longer by hand:
// `UPDRAFT_FUZZ_SECONDS=600 npm test -- test/core/bundle/fuzz`. A failure names its seed: `UPDRAFT_FUZZ_SEED=N` repeats it.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { type BundleIndex, packLengthOf } from '@updraft/core/bundle/bundle-index'
import { unpackFrame } from '@updraft/core/bundle/frame'
import { encodeIndex, foldIndex, parseIndex, unfoldIndex } from '@updraft/core/bundle/index-file'
import { applyIndexPatch, makeIndexPatch } from '@updraft/core/bundle/index-patch'
import { createSourceIndex, fillSourceIndex, findOperations } from '@updraft/core/bundle/patch/matching'
import { decodeSegment, encodeSegment } from '@updraft/core/bundle/patch/segment'
import { unpackBundle } from '@updraft/core/bundle/unpack'
import { isUpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import { listTree, noise, prose, temporaryFolder } from './bundle-support.ts'

const SECONDS = Number(process.env.UPDRAFT_FUZZ_SECONDS ?? 3)
const FIRST_SEED = Number(process.env.UPDRAFT_FUZZ_SEED ?? crypto.getRandomValues(new Uint32Array(1))[0])
/** Only a repeated seed runs once. */
const ONCE = process.env.UPDRAFT_FUZZ_SEED !== undefined

type Random = (below: number) => number

const randomOf = (seed: number): Random => {
  const bytes = createHash('sha256').update(String(seed)).digest()
  let state = bytes.readUInt32LE(0) | 1
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

/** Runs `attempt` with one seed after the other, until the time is over. Returns how many there were. */
const fuzz = async (attempt: (random: Random) => unknown): Promise<number> => {
  const end = performance.now() + SECONDS * 1000
  for (let count = 0; ; count += 1) {
    const seed = FIRST_SEED + count
    try {
      await attempt(randomOf(seed))
    } catch (error) {
      throw new Error(`seed ${seed}: ${(error as Error).message}`, { cause: error })
    }
    if (ONCE || performance.now() > end) return count + 1
  }
}

/** Only these two are an answer to bad bytes. */
const refused = async <T>(work: () => T | Promise<T>): Promise<T | undefined> => {
  try {
    return await work()
  } catch (error) {
    if (isUpdateError(error) && (error.code === 'BUNDLE_INVALID' || error.code === 'LIMIT_EXCEEDED')) return undefined
    throw error
  }
}

/** Numbers at which something usually goes wrong, as the tables of an index spell them. */
const EDGES = [0, 1, 127, 128, 2 ** 20, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 36, 2 ** 53 - 1, 2 ** 53].map(
  (value) => {
    const bytes: number[] = []
    for (let rest = value; ; rest = Math.floor(rest / 128)) {
      bytes.push((rest % 128) | (rest >= 128 ? 128 : 0))
      if (rest < 128) return Buffer.from(bytes)
    }
  },
)

/** One to four changes: bytes flipped, replaced, doubled, moved, cut out, or a number from the edges put in. */
const damaged = (bytes: Buffer, random: Random): Buffer => {
  let result = Buffer.from(bytes)
  for (let changes = 1 + random(4); changes > 0; changes -= 1) {
    const at = random(result.length + 1)
    const length = random(Math.min(64, result.length - at) + 1)
    const [head, part, tail] = [result.subarray(0, at), result.subarray(at, at + length), result.subarray(at + length)]
    const edge = EDGES[random(EDGES.length)] ?? Buffer.alloc(0)
    const other = random(result.length + 1)
    const choices = [
      [head, Buffer.from(part).map((byte) => byte ^ (1 << random(8))), tail],
      [head, tail],
      [head, part, part, tail],
      [head, edge, tail],
      [head, edge, result.subarray(at + 1)],
      [head, result.subarray(other, other + length), tail],
      [head],
    ]
    result = Buffer.concat(choices[random(choices.length)] ?? [])
  }
  return result
}

const fixture = (name: string): Buffer =>
  readFileSync(join(import.meta.dirname, '../../fixtures/bundle', `${name}.bin`))

const INDEXES = ['one.index', 'two.index'].map(fixture)
const PACK = fixture('two.pack')
const [ONE_INDEX = Buffer.alloc(0), TWO_INDEX = Buffer.alloc(0)] = INDEXES

/** What every index that parses must keep to, so that whoever reads it need not ask again. */
const expectSound = (index: BundleIndex): void => {
  const { frames, chunks, references, files } = index
  for (let frame = 0; frame < frames.count; frame += 1) {
    const base = frames.bases[frame] ?? -1
    expect(base === -1 || (base !== frame && frames.bases[base] === -1)).toBe(true)
    const length = frames.lengths[frame] ?? 0
    expect(length > 0 && length <= LIMITS.frameLengthBytes).toBe(true)
    let at = 0
    for (let chunk = frames.firstChunks[frame] ?? 0; chunk < (frames.firstChunks[frame + 1] ?? 0); chunk += 1) {
      expect(chunks.starts[chunk]).toBeGreaterThanOrEqual(at)
      at = (chunks.starts[chunk] ?? 0) + (chunks.lengths[chunk] ?? 0)
    }
    expect(at).toBeLessThanOrEqual(length)
  }
  expect(frames.firstChunks[frames.count]).toBe(chunks.count)
  for (const reference of references) expect(reference).toBeLessThan(chunks.count)
  const paths = new Set(files.map(({ path }) => path))
  expect(paths.size).toBe(files.length)
  for (const entry of files) {
    expect(entry.path.split('/').some((part) => part === '' || part === '.' || part === '..')).toBe(false)
    if (entry.kind !== 'file') continue
    const own = references.subarray(entry.firstReference, entry.firstReference + entry.referenceCount)
    expect(own.reduce((sum, chunk) => sum + (chunks.lengths[chunk] ?? 0), 0)).toBe(entry.lengthBytes)
  }
  expect(packLengthOf(index)).toBeLessThanOrEqual(LIMITS.installedLengthBytes)
}

/** Damage in the file as it is, or in its tables before they are compressed, with a header that fits. */
const damagedIndex = (random: Random): Buffer => {
  const index = INDEXES[random(INDEXES.length)] ?? Buffer.alloc(0)
  if (random(3) === 0) return damaged(index, random)
  const unfolded = unfoldIndex(index)
  const tablesAt = 16 + unfolded.readUInt32LE(8) * 32
  const tables = damaged(unfolded.subarray(tablesAt), random)
  const head = Buffer.from(unfolded.subarray(0, tablesAt))
  head.writeUInt32LE(tables.length, 12)
  return foldIndex(Buffer.concat([head, tables]))
}

const SLACK_MS = (SECONDS + 55) * 1000

test(
  'an index is refused, or sound',
  async () => {
    const count = await fuzz(async (random) => {
      const index = await refused(() => parseIndex(damagedIndex(random)))
      if (index === undefined) return
      expectSound(index)
      expectSound(parseIndex(encodeIndex(index)))
    })
    expect(count).toBeGreaterThan(0)
  },
  SLACK_MS,
)

test(
  'a bundle is refused and leaves nothing, or is installed within its folder',
  async () => {
    const folder = temporaryFolder()
    const into = join(folder, 'inside/tree')
    const packPath = join(folder, 'pack')
    mkdirSync(join(folder, 'inside'))
    await fuzz(async (random) => {
      const index = await refused(() => parseIndex(random(2) === 0 ? damagedIndex(random) : TWO_INDEX))
      if (index === undefined) return
      const pack = random(2) === 0 ? damaged(PACK, random) : PACK
      writeFileSync(packPath, pack)
      // A publisher who lies signs what he sends: then the frames have the digests of what they are.
      for (let frame = 0; random(2) === 0 && frame < index.frames.count; frame += 1) {
        const start = index.frames.offsets[frame] ?? 0
        const packed = pack.subarray(start, start + (index.frames.packedLengths[frame] ?? 0))
        index.frames.digests.set(createHash('sha256').update(packed).digest(), frame * 32)
      }
      const done = await refused(async () => {
        await unpackBundle({ index, packPath, into })
        return true
      })
      expect(existsSync(into)).toBe(done === true)
      if (done === true) expect(listTree(into).length).toBe(index.files.length)
      expect(readdirSync(folder).sort()).toEqual(['inside', 'pack'])
      rmSync(into, { recursive: true, force: true })
    })
  },
  SLACK_MS,
)

test(
  'a frame is refused, or has exactly the promised length',
  async () => {
    const { frames } = parseIndex(TWO_INDEX)
    await fuzz(async (random) => {
      const frame = random(frames.count)
      const start = frames.offsets[frame] ?? 0
      const packed = damaged(PACK.subarray(start, start + (frames.packedLengths[frame] ?? 0)), random)
      const promised = random(4) === 0 ? 1 + random(300_000) : (frames.lengths[frame] ?? 0)
      const base = random(2) === 0 ? noise(1_000, random(10)) : undefined
      const content = await refused(() => unpackFrame(packed, promised, base))
      if (content !== undefined) expect(content.length).toBe(promised)
    })
  },
  SLACK_MS,
)

test(
  'a patch of an index is refused, or makes something that is parsed like any other',
  async () => {
    const patch = (await makeIndexPatch(ONE_INDEX, TWO_INDEX)) ?? Buffer.alloc(0)
    await fuzz(async (random) => {
      const made = await refused(() => applyIndexPatch(ONE_INDEX, damaged(patch, random)))
      if (made !== undefined) await refused(() => parseIndex(made))
    })
  },
  SLACK_MS,
)

test(
  'a segment of a patch is refused, or reads and writes nothing but what it may',
  async () => {
    const source = Buffer.from(prose(20_000, 'source'))
    const target = Buffer.from(prose(20_000, 'source').replaceAll('value', 'worth'))
    const index = createSourceIndex(source)
    fillSourceIndex(index)
    const columns = encodeSegment(findOperations(index, target), source, target)
    await fuzz(async (random) => {
      const into = Buffer.alloc(target.length)
      await refused(() =>
        decodeSegment(
          damaged(columns, random),
          source.length,
          (position, part) => {
            expect(position).toBeGreaterThanOrEqual(0)
            expect(position + part.length).toBeLessThanOrEqual(source.length)
            part.set(source.subarray(position, position + part.length))
          },
          into,
        ),
      )
    })
  },
  SLACK_MS,
)
