import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { writeBundle } from '@updraft/core/bundle/bundle'
import { fillFromLocal } from '@updraft/core/bundle/reuse'
import { parseProduct, parseReleaseVersion } from '@updraft/core/names'
import { chooseLocal, fillPack, readLocalBundles } from '../../agent/src/fetch/local.ts'
import { packPathOf } from '../../agent/src/kept-pack.ts'
import { makeSmallBuild } from '../support/small-build.ts'

let directory: string

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'updraft-local-'))
})
afterEach(async () => {
  await rm(directory, { recursive: true, force: true })
})

const kept = (product: string, version: string, day: number) => ({
  product: parseProduct(product),
  version: parseReleaseVersion(version),
  since: `2026-03-${String(day).padStart(2, '0')}T00:00:00.000Z`,
})

describe('bundles to take from', () => {
  test('are first those of the same product, the newest version first, then others, the last kept first', () => {
    const all = [
      kept('zeta', '9.0.0', 3),
      kept('acme', '1.9.0', 9),
      kept('beta', '1.0.0', 5),
      kept('acme', '1.10.0', 1),
    ]
    const chosen = chooseLocal(all, parseProduct('acme'))
    expect(chosen.map(({ product, version }) => `${product} ${version}`)).toEqual([
      'acme 1.10.0',
      'acme 1.9.0',
      'beta 1.0.0',
      'zeta 9.0.0',
    ])
  })

  test('are sixteen at most, however many are kept', () => {
    const many = Array.from({ length: 40 }, (_, at) => kept('other', `1.0.${at}`, 1 + (at % 28)))
    const chosen = chooseLocal([...many, kept('acme', '1.0.0', 1)], parseProduct('acme'))
    expect([chosen.length, chosen[0]?.product]).toEqual([16, 'acme'])
  })

  test('may be of another product: what it has of the pack is not fetched, and one that is damaged costs nothing', async () => {
    const build = await makeSmallBuild(join(directory, 'build'))
    const other = await writeBundle({ build, into: join(directory, 'other') })
    const kept = packPathOf(join(directory, 'other'))
    await fillFromLocal({ index: other.index, packPath: kept, packs: [other], trees: [] })
    const damaged = join(directory, 'damaged')
    await mkdir(damaged)
    await writeFile(join(damaged, 'index'), 'no index')
    const packPath = join(directory, 'pack')
    const local = [
      { bundleDirectory: damaged, treePath: undefined },
      { bundleDirectory: join(directory, 'other'), treePath: undefined },
    ]
    await fillPack(other.index, packPath, await readLocalBundles(local), undefined, new AbortController().signal)
    expect((await readFile(packPath)).equals(await readFile(other.packPath))).toBe(true)
  })
})
