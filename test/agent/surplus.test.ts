// What is kept of older versions: by count, by space, and what is never taken away.
import { existsSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import type { CycleDependencies } from '@updraft/agent/cycle-types'
import type { HealthyVersion } from '@updraft/agent/probe'
import { parseSettings } from '@updraft/agent/settings'
import { openStore } from '@updraft/agent/store'
import { chooseKept, removeSurplus } from '@updraft/agent/surplus'
import { parsePlatform, parseProduct, parseReleaseVersion } from '@updraft/core/names'
import { temporaryHome } from '../support/fake-agent-parts.ts'

describe('of versions, the current one first', () => {
  test.each([
    ['as many as the settings say', [1, 1, 1, 1], 3, undefined, 3],
    ['the current one alone, if that is what they say', [1, 1], 1, undefined, 1],
    ['as many as there is room for', [10, 10, 10, 10], 9, 30, 3],
    ['exactly as much as there is room for', [10, 10, 10], 9, 30, 3],
    ['no more than that', [10, 10, 11], 9, 30, 2],
    ['the current one and the one before it, however large', [100, 100, 1], 9, 30, 2],
    ['none behind one that is too large, even if it is small', [10, 10, 100, 1], 9, 30, 2],
  ] as const)('%s', (_, sizes, versionsKept, versionsKeptBytes, expected) => {
    const versions = sizes.map((lengthBytes, index) => ({ lengthBytes, index }))
    const kept = chooseKept(versions, { versionsKept, versionsKeptBytes })
    expect(kept.map(({ index }) => index)).toEqual([...Array(expected).keys()])
  })
})

test.each([
  ['the oldest goes first', [0, 0, 0, 0, 0], [0, 1, 2]],
  ['what many others have goes before what is older', [9, 9, 3, 0, 0], [0, 1, 3]],
  ['all that many others have go, if they must', [9, 9, 3, 3, 0], [0, 1, 4]],
  ['two other copies are not many', [9, 9, 2, 0, 0], [0, 1, 2]],
])('without room for all, %s', (_, copies, expected) => {
  const versions = copies.map((otherCopies, index) => ({ lengthBytes: 10, otherCopies, index }))
  const kept = chooseKept(versions, { versionsKept: 9, versionsKeptBytes: 30 })
  expect(kept.map(({ index }) => index)).toEqual(expected)
})

test('what is over is forgotten, with its tree and its bundle; what is not stays', async () => {
  using home = temporaryHome()
  mkdirSync(home.stateDirectory)
  using store = openStore(home.stateDirectory)
  const product = parseProduct('acme')
  const platform = parsePlatform('any')
  const products = join(home.dataDirectory, 'products/acme')
  const removed: string[] = []
  for (const [index, name] of ['1.0.0', '1.1.0', '1.2.0', '1.3.0'].entries()) {
    const version = parseReleaseVersion(name)
    const [tree, bundle] = [
      join(products, 'versions', name, 'lib'),
      join(home.dataDirectory, 'bundles', `acme_${name}_any`),
    ]
    mkdirSync(tree, { recursive: true })
    mkdirSync(bundle, { recursive: true })
    writeFileSync(join(tree, 'file'), 'x'.repeat(1_000))
    const common = { product, version, platform }
    const installedAt = `2026-01-0${index + 1}T00:00:00Z`
    store.installed.makeCurrent({ ...common, source: 'main', path: '', signers: [], threshold: 1, installedAt })
    store.seeds.put({ ...common, name: `acme_${name}_any`, infoHash: name, trackers: [], lengthBytes: 500, since: 't' })
  }
  symlinkSync('versions/1.3.0', join(products, 'current'))
  const settings = parseSettings('{"versionsKept": 4, "versionsKeptBytes": 4500}', 'agent.json')
  const torrentOf = (infoHash: string) => ({
    state: () => ({ otherCopies: 0 }),
    remove: async () => void removed.push(infoHash),
  })
  const dependencies = { home, store, settings, torrentOf } as object as CycleDependencies

  await removeSurplus({ product, version: parseReleaseVersion('1.3.0') } as object as HealthyVersion, dependencies)
  expect(readdirSync(join(products, 'versions')).sort()).toEqual(['1.1.0', '1.2.0', '1.3.0'])
  expect(store.installed.kept(product).map(({ version }) => version)).toEqual(['1.3.0', '1.2.0', '1.1.0'])
  expect(removed).toEqual(['1.0.0'])
  expect(existsSync(join(home.dataDirectory, 'bundles/acme_1.0.0_any'))).toBe(false)
  expect(store.seeds.all().map(({ version }) => version)).toEqual(['1.1.0', '1.2.0', '1.3.0'])
})
