// What is seeded in the benchmark of the agent: real bundles of small builds, with their torrents, made by the code that
// publishes them, and put into an agent's home as the agent itself keeps them.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { packPathOf } from '@updraft/agent/kept-pack'
import { openStore } from '@updraft/agent/store'
import { writeBundle } from '@updraft/core/bundle/bundle'
import { type BundleIndex, frameOf } from '@updraft/core/bundle/bundle-index'
import { frameFiles } from '@updraft/core/bundle/pack-place'
import { bundleNameOf, parsePlatform, parseProduct, parseReleaseVersion, type ReleaseName } from '@updraft/core/names'
import { createMetainfo, type Metainfo, pieceLengthFor } from '@updraft/core/swarm/metainfo'
import { pseudoText } from '../../support/small-build.ts'

export interface Seeded {
  readonly release: ReleaseName
  readonly index: BundleIndex
  readonly metainfo: Metainfo
  /** `<directory>/<bundle's name>/{index,pack}`: what a stock client seeds. */
  readonly directory: string
}

/** Makes `count` bundles of some 100 KB under `directory`, no two of them alike. */
export const makeContent = async (directory: string, count: number, tracker: string): Promise<readonly Seeded[]> => {
  const seeded: Seeded[] = []
  let next = 0
  const work = async (): Promise<void> => {
    while (next < count) {
      const number = next
      next += 1
      seeded[number] = await makeOne(directory, number, tracker)
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, work))
  return seeded
}

const makeOne = async (directory: string, number: number, tracker: string): Promise<Seeded> => {
  const release = {
    product: parseProduct(`tool-${number}`),
    version: parseReleaseVersion('1.0.0'),
    platform: parsePlatform('any'),
  }
  const name = bundleNameOf(release)
  const build = join(directory, 'builds', name)
  await mkdir(build, { recursive: true })
  for (const part of [1, 2, 3]) await writeFile(join(build, `${part}.txt`), pseudoText(60_000, number * 3 + part))
  const into = join(directory, 'bundles', name)
  const { index, indexPath, packPath, sizes } = await writeBundle({ build, into, workers: 1 })
  const metainfo = await createMetainfo({
    name,
    files: [
      { path: 'index', file: indexPath },
      { path: 'pack', file: packPath },
    ],
    pieceLength: pieceLengthFor(sizes.indexBytes + sizes.packBytes),
    trackers: [tracker],
    webSeeds: [],
  })
  await writeFile(join(directory, `${name}.torrent`), metainfo.bytes)
  return { release, index, metainfo, directory: join(directory, 'bundles') }
}

/** Puts the bundles into the home of an agent that does not run. */
export const keepInHome = async (home: string, content: readonly Seeded[]): Promise<void> => {
  using store = openStore(join(home, 'state'))
  for (const { release, index, metainfo, directory } of content) {
    const { name, infoHash, lengthBytes, bytes, trackers } = metainfo
    const kept = join(home, 'bundles', name)
    await mkdir(packPathOf(kept), { recursive: true })
    const pack = await readFile(join(directory, name, 'pack'))
    for (const [number, file] of frameFiles(index).entries()) {
      const { offset, packedLength } = frameOf(index, number)
      await writeFile(join(packPathOf(kept), file.name), pack.subarray(offset, offset + packedLength))
    }
    await writeFile(join(kept, 'index'), await readFile(join(directory, name, 'index')))
    await writeFile(join(home, 'bundles', `${name}.torrent`), bytes)
    store.seeds.put({ ...release, name, infoHash, trackers, lengthBytes, since: new Date().toISOString() })
  }
}
