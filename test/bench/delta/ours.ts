// One step of ours in a process of its own, so that its time and peak memory are its own: `make` writes a bundle after a
// previous one, `patch` what leads to its index from an older one, `apply` makes index and pack from what a machine has and
// what it fetches, and unpacks them.
import { open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeBundle } from '@updraft/core/bundle/bundle'
import { type BundleIndex, packLengthOf } from '@updraft/core/bundle/bundle-index'
import { parseIndex } from '@updraft/core/bundle/index-file'
import { applyIndexPatch, makeIndexPatch } from '@updraft/core/bundle/index-patch'
import { fillFromLocal } from '@updraft/core/bundle/reuse'
import { unpackBundle } from '@updraft/core/bundle/unpack'
import { pieceLengthFor } from '@updraft/core/swarm/metainfo'

const [, , verb, ...places] = process.argv
const [first = '', second = '', third = '', fourth = '', fifth = ''] = places

const readIndex = async (bundle: string): Promise<BundleIndex> => parseIndex(await readFile(join(bundle, 'index')))
const say = (figures: object): void => void process.stdout.write(`${JSON.stringify(figures)}\n`)

if (verb === 'make') {
  // make BUILD INTO [PREVIOUS]
  const previous = third === '' ? undefined : { index: await readIndex(third), packPath: join(third, 'pack') }
  const { sizes } = await writeBundle({ build: first, into: second, previous })
  say(sizes)
} else if (verb === 'patch') {
  // patch NEW-BUNDLE OLD-BUNDLE FILE: no file where a patch would save nothing
  const patch = await makeIndexPatch(await readFile(join(second, 'index')), await readFile(join(first, 'index')))
  if (patch !== undefined) await writeFile(third, patch)
  say({ patchBytes: patch?.length })
} else {
  // apply NEW-BUNDLE OLD-BUNDLE OLD-TREE INTO [PATCH]
  const signed = await readFile(join(first, 'index'))
  const patch = fifth === '' ? undefined : await readFile(fifth)
  const newIndex = patch === undefined ? signed : await applyIndexPatch(await readFile(join(second, 'index')), patch)
  if (!newIndex.equals(signed)) throw new Error('the index patch makes another index')
  const [index, before] = [parseIndex(newIndex), await readIndex(second)]
  const packPath = `${fourth}.pack`
  const { filled } = await fillFromLocal({
    index,
    packPath,
    packs: [{ index: before, packPath: join(second, 'pack') }],
    trees: [{ index: before, path: third }],
  })
  const indexBytes = newIndex.length
  const pieceLength = pieceLengthFor(indexBytes + packLengthOf(index))
  const length = indexBytes + packLengthOf(index)
  // As the agent does: the index, or a patch to it, over HTTP, before the swarm.
  let fetched = patch?.length ?? indexBytes
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
