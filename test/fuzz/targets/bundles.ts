// The bundle format: index, frames of the pack, the whole of both, and patches of either.
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BundleIndex, packLengthOf } from '@updraft/core/bundle/bundle-index'
import { unpackFrame } from '@updraft/core/bundle/frame'
import { encodeIndex, foldIndex, parseIndex, unfoldIndex } from '@updraft/core/bundle/index-file'
import { applyIndexPatch } from '@updraft/core/bundle/index-patch'
import { applyPatch } from '@updraft/core/bundle/patch/patch'
import { decodeSegment } from '@updraft/core/bundle/patch/segment'
import { targetOf } from '@updraft/core/bundle/patch/sequence'
import { unpackBundle } from '@updraft/core/bundle/unpack'
import type { ErrorCode } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import { choosing, chosen, plainTarget, type Target, unlessRefused, unlessRejected } from '../target.ts'
import { ONE_INDEX, ONE_PACK, PATCH, TWO_INDEX, TWO_PACK } from './fixtures.ts'

const REFUSALS: readonly ErrorCode[] = ['BUNDLE_INVALID', 'LIMIT_EXCEEDED']

/** What every index that parses must keep to, so that whoever reads it need not ask again. */
const assertSound = (index: BundleIndex): void => {
  const { frames, chunks, references, files } = index
  for (let frame = 0; frame < frames.count; frame += 1) {
    const base = frames.bases[frame] ?? -1
    assert.ok(base === -1 || (base !== frame && frames.bases[base] === -1))
    const length = frames.lengths[frame] ?? 0
    assert.ok(length > 0 && length <= LIMITS.frameLengthBytes)
    let at = 0
    for (let chunk = frames.firstChunks[frame] ?? 0; chunk < (frames.firstChunks[frame + 1] ?? 0); chunk += 1) {
      assert.ok((chunks.starts[chunk] ?? -1) >= at)
      at = (chunks.starts[chunk] ?? 0) + (chunks.lengths[chunk] ?? 0)
    }
    assert.ok(at <= length)
  }
  assert.equal(frames.firstChunks[frames.count], chunks.count)
  for (const reference of references) assert.ok(reference < chunks.count)
  assert.equal(new Set(files.map(({ path }) => path)).size, files.length)
  for (const entry of files) {
    assert.ok(!entry.path.split('/').some((part) => part === '' || part === '.' || part === '..'))
    if (entry.kind !== 'file') continue
    const own = references.subarray(entry.firstReference, entry.firstReference + entry.referenceCount)
    assert.equal(
      own.reduce((sum, chunk) => sum + (chunks.lengths[chunk] ?? 0), 0),
      entry.lengthBytes,
    )
  }
  assert.ok(packLengthOf(index) <= LIMITS.installedLengthBytes)
}

/** As it is, or as its tables are before they are compressed, under a header that fits: damage reaches further then. */
const indexBytesOf = (input: Uint8Array): Uint8Array | undefined => {
  const { choice, rest } = chosen(input)
  if (choice % 4 === 0) return rest
  const bytes = Buffer.from(rest)
  const tablesAt = 16 + (bytes.length < 16 ? 0 : bytes.readUInt32LE(8)) * 32
  if (bytes.length < tablesAt || bytes.length < 16) return undefined
  bytes.writeUInt32LE(bytes.length - tablesAt, 12)
  return foldIndex(bytes)
}

export const index = plainTarget({
  what: 'the index of a bundle, from a server or peer, signed or not',
  seeds: () => [ONE_INDEX, TWO_INDEX].flatMap((bytes) => [choosing(0, bytes), choosing(1, unfoldIndex(bytes))]),
  words: ['../', '/', './', '..\\', '\0', 'bin', 'lib'],
  attempt: (input) => {
    const bytes = indexBytesOf(input)
    const parsed = bytes && unlessRefused(REFUSALS, () => parseIndex(bytes))
    if (parsed === undefined) return
    assertSound(parsed)
    assertSound(parseIndex(encodeIndex(parsed)))
  },
})

/** Content that frames may be packed against. */
const BASE = Buffer.from('0123456789abcdef'.repeat(64))

export const frame = plainTarget({
  what: 'one frame of a pack, from a peer or web seed',
  seeds: () => {
    const { frames } = parseIndex(TWO_INDEX)
    return Array.from({ length: frames.count }, (_, number) => {
      const start = frames.offsets[number] ?? 0
      const head = Buffer.alloc(4)
      head.writeUInt32LE(frames.lengths[number] ?? 0)
      head[3] = frames.bases[number] === -1 ? 0 : 1
      return Buffer.concat([head, TWO_PACK.subarray(start, start + (frames.packedLengths[number] ?? 0))])
    })
  },
  words: [new Uint8Array([0x28, 0xb5, 0x2f, 0xfd]), new Uint8Array([0x37, 0xa4, 0x30, 0xec])],
  attempt: (input) => {
    if (input.length < 4) return
    const head = Buffer.from(input.subarray(0, 4))
    const promised = 1 + (head.readUIntLE(0, 3) % (4 * 1024 * 1024))
    const base = (head[3] ?? 0) % 2 === 0 ? undefined : BASE
    const content = unlessRefused(REFUSALS, () => unpackFrame(input.subarray(4), promised, base))
    if (content !== undefined) assert.equal(content.length, promised)
  },
})

/** A bundle in one input: how, the length of the index, the index as for `index`, the pack. */
const bundleInput = (how: number, indexBytes: Uint8Array, pack: Uint8Array): Buffer => {
  const head = Buffer.alloc(5)
  head[0] = how
  head.writeUInt32LE(indexBytes.length, 1)
  return Buffer.concat([head, indexBytes, pack])
}

export const bundle: Target = {
  what: 'index and pack together, as they are installed from',
  open: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'updraft-fuzz-'))
    const into = join(folder, 'inside/tree')
    const packPath = join(folder, 'pack')
    mkdirSync(join(folder, 'inside'))
    return {
      seeds: [0, 1].flatMap((how) => [
        bundleInput(how, choosing(0, TWO_INDEX), TWO_PACK),
        bundleInput(how, choosing(1, unfoldIndex(ONE_INDEX)), ONE_PACK),
      ]),
      attempt: async (input) => {
        if (input.length < 5) return
        const head = Buffer.from(input.subarray(0, 5))
        const length = head.readUInt32LE(1) % (input.length - 4)
        const bytes = indexBytesOf(input.subarray(5, 5 + length))
        const parsed = bytes && unlessRefused(REFUSALS, () => parseIndex(bytes))
        if (parsed === undefined) return
        const pack = input.subarray(5 + length)
        writeFileSync(packPath, pack)
        // A publisher who lies signs what he sends: then the frames have the digests of what they are.
        if ((head[0] ?? 0) % 2 === 1) seal(parsed, pack)
        const isDone = await unlessRejected(REFUSALS, async () => {
          await unpackBundle({ index: parsed, packPath, into })
          return true
        })
        assert.equal(existsSync(into), isDone === true)
        if (isDone === true) assert.equal(entriesIn(into), parsed.files.length)
        assert.equal(readdirSync(folder).sort().join(), 'inside,pack')
        rmSync(into, { recursive: true, force: true })
      },
      [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true, force: true }),
    }
  },
}

const seal = ({ frames }: BundleIndex, pack: Uint8Array): void => {
  for (let number = 0; number < frames.count; number += 1) {
    const start = frames.offsets[number] ?? 0
    const packed = pack.subarray(start, start + (frames.packedLengths[number] ?? 0))
    frames.digests.set(createHash('sha256').update(packed).digest(), number * 32)
  }
}

/** Files, links and folders, at any depth. */
const entriesIn = (path: string): number =>
  readdirSync(path).reduce((count, name) => {
    const below = join(path, name)
    return count + 1 + (lstatSync(below).isDirectory() ? entriesIn(below) : 0)
  }, 0)

export const indexPatch: Target = {
  what: 'the patch that makes one index of another, from a server',
  open: async () => {
    const { makeIndexPatch } = await import('@updraft/core/bundle/index-patch')
    return {
      seeds: [(await makeIndexPatch(ONE_INDEX, TWO_INDEX)) ?? Buffer.alloc(0)],
      attempt: async (input) => {
        const made = await unlessRejected(REFUSALS, () => applyIndexPatch(ONE_INDEX, input))
        if (made !== undefined) unlessRefused(REFUSALS, () => parseIndex(made))
      },
      [Symbol.asyncDispose]: async () => {},
    }
  },
}

export const segment: Target = {
  what: 'the operations of a patch, decompressed',
  open: async () => {
    const { findOperations, indexSource } = await import('@updraft/core/bundle/patch/matching')
    const { encodeSegment } = await import('@updraft/core/bundle/patch/segment')
    const text = Array.from({ length: 400 }, (_, line) => `line ${line} has the value ${line * line}\n`).join('')
    const source = Buffer.from(text)
    const target = Buffer.from(text.replaceAll('value', 'worth').replace('line 7 ', 'a line that is new '))
    return {
      seeds: [encodeSegment(findOperations(indexSource(source), target), source, target)],
      attempt: (input) => {
        const into = Buffer.alloc(target.length)
        const read = (position: number, part: Uint8Array): void => {
          assert.ok(position >= 0 && position + part.length <= source.length)
          part.set(source.subarray(position, position + part.length))
        }
        unlessRefused(REFUSALS, () => decodeSegment(input, source.length, read, into))
      },
      [Symbol.asyncDispose]: async () => {},
    }
  },
}

export const patch: Target = {
  what: 'a whole patch between two releases, from a peer or web seed',
  open: async () => {
    const folder = mkdtempSync(join(tmpdir(), 'updraft-fuzz-'))
    const older = { index: parseIndex(ONE_INDEX), path: join(folder, 'tree') }
    const newer = parseIndex(TWO_INDEX)
    writeFileSync(join(folder, 'pack'), ONE_PACK)
    await unpackBundle({ index: older.index, packPath: join(folder, 'pack'), into: older.path })
    const [patchPath, into] = [join(folder, 'patch'), join(folder, 'new')]
    return {
      seeds: [PATCH],
      attempt: async (input) => {
        writeFileSync(patchPath, input)
        const made = await unlessRejected(REFUSALS, () => applyPatch({ patchPath, older, newer, into }))
        if (made !== undefined) assert.equal(lstatSync(into).size, targetOf(newer, older.index).lengthBytes)
        assert.ok(readdirSync(folder).every((name) => ['new', 'pack', 'patch', 'tree'].includes(name)))
      },
      [Symbol.asyncDispose]: async () => rmSync(folder, { recursive: true, force: true }),
    }
  },
}
