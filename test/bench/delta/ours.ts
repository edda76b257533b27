// One step of ours in a process of its own, so that its time and peak memory are its own: `make` writes a bundle after a
// previous one, `patch` what leads to it from an older one, `apply` makes index and pack from what a machine has and what it
// fetches, and unpacks them.
import { mkdir, open, readFile, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { writeBundle } from '@updraft/core/bundle/bundle'
import { type BundleIndex, packLengthOf } from '@updraft/core/bundle/bundle-index'
import { parseIndex } from '@updraft/core/bundle/index-file'
import { applyIndexPatch, makeIndexPatch } from '@updraft/core/bundle/index-patch'
import { applyPatch, makePatch } from '@updraft/core/bundle/patch/patch'
import { fillFromLocal } from '@updraft/core/bundle/reuse'
import { unpackBundle } from '@updraft/core/bundle/unpack'
import { createMetainfo, pieceLengthFor } from '@updraft/core/swarm/metainfo'

const [, , verb, ...places] = process.argv
const [first = '', second = '', third = '', fourth = '', fifth = '', sixth = ''] = places

const readIndex = async (bundle: string): Promise<BundleIndex> => parseIndex(await readFile(join(bundle, 'index')))
const say = (figures: object): void => void process.stdout.write(`${JSON.stringify(figures)}\n`)

const metainfoBytes = async (folder: string, files: readonly string[]): Promise<number> => {
  const sizes = await Promise.all(files.map((file) => stat(join(folder, file))))
  const { bytes } = await createMetainfo({
    name: basename(folder),
    files: files.map((path) => ({ path, file: join(folder, path) })),
    pieceLength: pieceLengthFor(sizes.reduce((sum, { size }) => sum + size, 0)),
    trackers: [],
    webSeeds: [],
  })
  return bytes.length
}

if (verb === 'make') {
  // make BUILD INTO [PREVIOUS]
  const previous = third === '' ? undefined : { index: await readIndex(third), packPath: join(third, 'pack') }
  const { sizes } = await writeBundle({ build: first, into: second, previous })
  say(sizes)
} else if (verb === 'describe') {
  // describe NEW-BUNDLE OLD-BUNDLE FOLDER: what a machine fetches over HTTP before the swarm: the index or a patch to it, metainfo
  const newIndex = await readFile(join(first, 'index'))
  const patch = await makeIndexPatch(await readFile(join(second, 'index')), newIndex)
  await mkdir(third, { recursive: true })
  if (patch !== undefined) await writeFile(join(third, 'index-patch'), patch)
  const metainfo = await metainfoBytes(first, ['index', 'pack'])
  say({ indexBytes: newIndex.length, indexPatchBytes: patch?.length ?? newIndex.length, metainfoBytes: metainfo })
} else if (verb === 'patch') {
  // patch NEW-BUNDLE OLD-BUNDLE FOLDER: no file where there is nothing to patch
  const [newer, older] = await Promise.all([first, second].map(readIndex))
  if (newer === undefined || older === undefined) throw new TypeError('two bundles are needed')
  const patch = await makePatch({
    newer: { index: newer, packPath: join(first, 'pack') },
    older: { index: older, packPath: join(second, 'pack') },
  })
  if (patch !== undefined) await writeFile(join(third, 'patch'), patch)
  say({
    patchBytes: patch?.length,
    patchMetainfoBytes: patch === undefined ? 0 : await metainfoBytes(third, ['patch']),
  })
} else {
  // apply NEW-BUNDLE OLD-BUNDLE OLD-TREE INTO INDEX-PATCH [PATCH]
  const signed = await readFile(join(first, 'index'))
  const indexPatch = await readFile(fifth).catch(() => undefined)
  const newIndex = indexPatch && (await applyIndexPatch(await readFile(join(second, 'index')), indexPatch))
  if (newIndex !== undefined && !newIndex.equals(signed)) throw new Error('the index patch makes another index')
  const [index, before] = [parseIndex(signed), await readIndex(second)]
  const packPath = `${fourth}.pack`
  const installed = { index: before, path: third }
  const made =
    sixth === ''
      ? undefined
      : await applyPatch({ patchPath: sixth, older: installed, newer: index, into: `${fourth}.new` })
  const { filled } = await fillFromLocal({
    index,
    packPath,
    packs: [{ index: before, packPath: join(second, 'pack') }],
    trees: [...(made === undefined ? [] : [made.tree]), installed],
    gaps: made?.gaps,
  })
  const indexBytes = signed.length
  const pieceLength = pieceLengthFor(indexBytes + packLengthOf(index))
  const length = indexBytes + packLengthOf(index)
  let fetched = 0
  await using source = await open(join(first, 'pack'))
  await using pack = await open(packPath, 'r+')
  for (let start = 0; start < length; start += pieceLength) {
    const end = Math.min(start + pieceLength, length)
    const [from, to] = [Math.max(0, start - indexBytes), end - indexBytes]
    if (to <= from || filled.some((range) => range.start <= from && to <= range.end)) continue
    const piece = Buffer.alloc(to - from)
    await source.read(piece, 0, piece.length, from)
    await pack.write(piece, 0, piece.length, from)
    fetched += end - start
  }
  await unpackBundle({ index, packPath, into: fourth })
  say({ fetched })
}
