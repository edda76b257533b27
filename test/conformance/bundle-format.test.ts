// docs/bundle-format.md against the program: a second implementation, written from the document, makes and reads the same bytes.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { parseIndex } from '@updraft/core/bundle/index-file'
import { makeIndexPatch } from '@updraft/core/bundle/index-patch'
import { makePatch, applyPatch as programPatch } from '@updraft/core/bundle/patch/patch'
import fc from 'fast-check'
import {
  type Bundle,
  bundle,
  install,
  installTree,
  listInstalled,
  makeBuild,
  type Nodes,
  noise,
  prose,
  sha256,
  temporaryFolder,
} from '../core/bundle/bundle-support.ts'
import { FROZEN_ONE, FROZEN_TWO } from '../core/bundle/frozen-releases.ts'
import { CHAINS } from './bundle-chains.ts'
import { applyEdit, EDIT, type Files, HISTORY } from './bundle-edits.ts'
import { averageChunkBytes, cutFile, GEAR } from './bundle-format/chunking.ts'
import { applyIndexPatch } from './bundle-format/index-patch.ts'
import { applyPatch, sourceOf, targetPieces } from './bundle-format/patch.ts'
import { openPrevious } from './bundle-format/previous.ts'
import { readIndex } from './bundle-format/read-index.ts'
import { spell } from './bundle-format/spell-index.ts'
import { unpack } from './bundle-format/unpack.ts'
import { type MadeBundle, makeBundle } from './bundle-format/write-bundle.ts'
import { compressFrame } from './bundle-format/zstd.ts'
import { FIRST_RELEASES } from './first-releases.ts'
import { frameStories } from './frame-stories.ts'
import { ODD, WRONG } from './wrong-indexes.ts'
import { ODD_PATCHES, SOURCE, spellPatch, TARGET, WRONG_PATCHES } from './wrong-patches.ts'

const GIB = 1024 * 1024 * 1024

interface Step {
  readonly ways: string
  readonly frames: readonly string[]
  readonly program: Bundle
  readonly ours: MadeBundle
}

const filesOf = ({ indexBytes, packBytes }: Bundle) => ({ index: indexBytes, pack: packBytes })

/** Makes each release after the one before, by both; every byte has to be the same. */
const makeChain = async (releases: readonly Nodes[]): Promise<Step[]> => {
  const steps: Step[] = []
  for (const nodes of releases) {
    const build = makeBuild(nodes)
    const before = steps.at(-1)?.program
    const program = await bundle(build, before)
    const ours = makeBundle(build, before && filesOf(before))
    expect(sameBytes(ours, program)).toEqual({ index: true, pack: true })
    steps.push({
      ways: ours.ways.join(' '),
      frames: frameStories(program.indexBytes, before?.indexBytes),
      program,
      ours,
    })
  }
  return steps
}

/** Megabytes that differ would make a report that nobody can read. */
const sameBytes = (ours: MadeBundle, program: Bundle) => ({
  index: ours.index.equals(program.indexBytes),
  pack: ours.pack.equals(program.packBytes),
})

/** As `listInstalled` has them. */
const linesOf = (tree: ReturnType<typeof unpack>): string[] =>
  [...tree]
    .map(([path, node]) => {
      if (node.kind === 'directory') return `${path}/ 755`
      if (node.kind === 'link') return `${path} -> ${node.target}`
      return `${path} ${node.isExecutable ? 755 : 644} ${sha256(node.content)}`
    })
    .sort()

const fixture = (name: string): Buffer => readFileSync(join(import.meta.dirname, '../fixtures/bundle', `${name}.bin`))

const isRefused = (read: () => unknown): boolean => {
  try {
    read()
    return false
  } catch {
    return true
  }
}

describe('making', () => {
  test('the frozen bundles', () => {
    const [one, two] = [makeBundle(makeBuild(FROZEN_ONE)), makeBundle(makeBuild(FROZEN_TWO), frozen('one'))]
    expect(one).toMatchObject(frozen('one'))
    expect(two).toMatchObject(frozen('two'))
  })

  test('the values that the document gives to check', () => {
    expect([...GEAR.subarray(0, 3)].map((value) => value.toString(16))).toEqual(['5d909554', '15a5bbc5', '2bef61fa'])
    expect(cutFile(Buffer.alloc(150_000)).map((chunk) => chunk.length)).toEqual([65_536, 65_536, 18_928])
    const averages = [2 * GIB, 2 * GIB + 1, 4 * GIB + 1, 16 * GIB + 1, 64 * GIB].map(averageChunkBytes)
    expect(averages.map((bytes) => bytes / 1024)).toEqual([16, 32, 64, 256, 256])
  })

  test.each(FIRST_RELEASES)('a first release of %s', async (_, make, frames) => {
    expect((await makeChain([make()])).map((step) => step.frames)).toEqual([frames])
  })

  test.each(CHAINS)('%s', async (_, make) => {
    const { releases, outcomes } = make()
    const [, ...steps] = await makeChain(releases)
    expect(steps.map(({ ways, frames }) => ({ ways, frames }))).toEqual(outcomes)
  })

  test('every kind of entry, through edits, insertions, renames and deletions', async () => {
    for (const [number, step] of (await makeChain(HISTORY)).entries()) {
      const lines = listInstalled(HISTORY[number] ?? {})
      expect(linesOf(unpack(filesOf(step.program)))).toEqual(lines)
      const packPath = join(temporaryFolder(), 'pack')
      writeFileSync(packPath, step.ours.pack)
      expect(await install({ index: parseIndex(step.ours.index), packPath })).toEqual(lines)
    }
  })

  test.each([
    ['no file', { folder: { kind: 'directory' } }],
    ['a name that Windows reserves', { a: '', 'con.txt': '' }],
    ['a name that Windows cuts', { 'a.': '' }],
    ['a link out of the tree', { a: '', 'folder/b': { kind: 'link', target: '../../a' } }],
    ['an absolute link', { a: '', b: { kind: 'link', target: '/a' } }],
  ] satisfies [string, Nodes][])('a build with %s is refused by both', async (_, nodes) => {
    const build = makeBuild(nodes)
    expect(
      await bundle(build).then(
        () => false,
        () => true,
      ),
    ).toBe(true)
    expect(isRefused(() => makeBundle(build))).toBe(true)
  })

  test('whatever is edited', async () => {
    const history = fc.array(fc.array(EDIT, { minLength: 1, maxLength: 5 }), { minLength: 3, maxLength: 3 })
    await fc.assert(
      fc.asyncProperty(history, async (releases) => {
        const builds: Files[] = [{ a: noise(90_000, 0), b: Buffer.from(prose(150_000, 0)), c: noise(40_000, 2) }]
        for (const edits of releases) builds.push(edits.reduce(applyEdit, builds.at(-1) ?? {}))
        await makeChain(builds)
      }),
      { numRuns: 8, endOnFailure: true },
    )
  })
})

describe('patches', () => {
  const key = noise(9_000_000, 'patched')
  const changed = Buffer.from(key.map((byte, index) => (index % 4000 === 0 ? byte + 1 : byte)))
  const pieces = (name: string, count: number): Nodes =>
    Object.fromEntries(
      Array.from({ length: count }, (_, part) => [`${name}${part}`, noise(100_000, `${name} ${part}`)]),
    )

  test.each([
    [
      'two segments of copies',
      [
        { a: key, b: prose(9_000, 1) },
        { a: changed, b: prose(9_000, 2) },
      ],
      0,
    ],
    ['text in a dictionary', [{ a: prose(200_000, 1) }, { a: prose(9_000, 3) + prose(150_000, 1).slice(70_000) }], 0],
    ['a source of nothing', [{ a: '' }, { a: 'hello' }], 0],
    ['gaps', [pieces('p', 6), { ...pieces('p', 6), ...pieces('q', 3) }, { ...pieces('p', 6), ...pieces('q', 2) }], 1],
  ] satisfies [string, Nodes[], number][])('of %s make the target', async (_, releases, gaps) => {
    const steps = await makeChain(releases)
    const [older, newer] = [steps[0]?.program, steps.at(-1)?.program]
    if (older === undefined || newer === undefined) throw new Error('no releases')

    const patch = await makePatch({ older, newer })
    const wanted = targetPieces(readIndex(older.indexBytes), readIndex(newer.indexBytes))
    expect(wanted.filter(({ kind }) => kind === 'gap')).toHaveLength(gaps)
    expect(targetBy(patch ?? Buffer.alloc(0), filesOf(older), filesOf(newer))).toBe(true)

    const indexPatch = await makeIndexPatch(older.indexBytes, newer.indexBytes)
    expect(applyIndexPatch(older.indexBytes, indexPatch ?? Buffer.alloc(0)).equals(newer.indexBytes)).toBe(true)
  })

  test('the frozen one makes the target', () => {
    expect(targetBy(fixture('two-after-one.patch'), frozen('one'), frozen('two'))).toBe(true)
  })
})

describe('a patch', () => {
  const ends = async () => {
    const [older, newer] = await makeChain([{ a: SOURCE }, { a: TARGET }])
    if (older === undefined || newer === undefined) throw new Error('no releases')
    return { older: older.program, newer: newer.program, tree: await installTree(older.program) }
  }
  /** What comes out of both, if anything. */
  const apply = async (patch: Buffer, { older, newer, tree }: Awaited<ReturnType<typeof ends>>) => {
    const [patchPath, into] = [join(temporaryFolder(), 'patch'), join(temporaryFolder(), 'made')]
    writeFileSync(patchPath, patch)
    const program = programPatch({ patchPath, older: { index: older.index, path: tree }, newer: newer.index, into })
    return {
      program: await program.then(
        () => true,
        () => false,
      ),
      ours: !isRefused(() => expect(targetBy(patch, filesOf(older), filesOf(newer))).toBe(true)),
    }
  }

  test('that breaks a rule is refused by both', async () => {
    const both = await ends()
    for (const [what, wrong] of Object.entries(WRONG_PATCHES)) {
      expect({ what, ...(await apply(spellPatch(wrong), both)) }).toEqual({ what, program: false, ours: false })
    }
  })

  test('that is only odd is applied by both', async () => {
    const both = await ends()
    for (const [what, odd] of Object.entries(ODD_PATCHES)) {
      expect({ what, ...(await apply(spellPatch(odd), both)) }).toEqual({ what, program: true, ours: true })
    }
  })
})

describe('a pack', () => {
  const content = noise(1000, 'content')
  const packed = compressFrame(content)
  const digests = [packed, content.subarray(0, 400), content.subarray(400), content].map(sha256)
  const index = (others: readonly string[], length = 1000): Buffer =>
    spell({
      frames: [{ packed: packed.length, length, base: 0, chunks: 2 }],
      chunks: [
        { skip: 0, length: 400 },
        { skip: 0, length: 600 },
      ],
      kinds: [0],
      paths: [{ shared: 0, rest: 'a' }],
      runs: [[{ first: 0, length: 2 }]],
      targets: [],
      digests: () => others,
    })
  const areRefused = async (indexBytes: Buffer, pack: Buffer) => {
    const packPath = join(temporaryFolder(), 'pack')
    writeFileSync(packPath, pack)
    const program = install({ index: parseIndex(indexBytes), packPath })
    return [await program.then(() => false).catch(() => true), isRefused(() => unpack({ index: indexBytes, pack }))]
  }

  test.each([
    ['its frame is another', index(digests.with(0, sha256('other'))), packed],
    ['its frame has less content', index(digests, 1001), packed],
    ['a chunk is another', index(digests.with(1, sha256('other'))), packed],
    ['a file is another', index(digests.with(3, sha256('other'))), packed],
    ['it ends too early', index(digests), packed.subarray(0, -1)],
  ])('is refused by both if %s', async (_, indexBytes, pack) => {
    expect(await areRefused(index(digests), packed)).toEqual([false, false])
    expect(await areRefused(indexBytes, pack)).toEqual([true, true])
  })
})

describe('an index', () => {
  test.each(Object.entries(WRONG))('with %s is refused by both', (_, wrong) => {
    const bytes = spell(wrong)
    expect({ program: isRefused(() => parseIndex(bytes)), ours: isRefused(() => readIndex(bytes)) }).toEqual({
      program: true,
      ours: true,
    })
  })

  test.each(Object.entries(ODD))('with %s is read by both', (_, odd) => {
    const bytes = spell(odd)
    parseIndex(bytes)
    readIndex(bytes)
  })
})

function frozen(name: string) {
  return { index: fixture(`${name}.index`), pack: fixture(`${name}.pack`) }
}

/** Whether the patch makes what the newer pack holds. */
function targetBy(patch: Buffer, older: ReturnType<typeof frozen>, newer: ReturnType<typeof frozen>): boolean {
  const before = readIndex(older.index)
  const after = openPrevious(newer)
  const contents = after.index.frames.map(after.contentOf)
  const pieces = targetPieces(before, after.index)
  const target = pieces.map(({ frame, offset, lengthBytes }) => contents[frame]?.subarray(offset, offset + lengthBytes))
  const made = applyPatch(patch, sourceOf(before, unpack(older)), pieces)
  return made.equals(Buffer.concat(target.map((bytes) => bytes ?? Buffer.alloc(0))))
}
