// Large tables mean the same as the TUF library makes of small ones, are refused for the same reasons, and take no time that grows with
// their square; and nobody waits for a refresh of many products.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { beforeAll, describe, expect, test } from '@jest/globals'
import { Metadata, MetadataKind } from '@tufjs/models'
import { readLargeTables } from '@updraft/agent/refresh/large-tables'
import { canonicalBytes } from '@updraft/core/trust/canonical'
import { EVERYTHING, type Loose, simulateRepository } from '../support/repository-simulator.ts'

const products = Array.from({ length: 100 }, (_, number) => `product-${number}`)
const repository = simulateRepository({ products: [] })

beforeAll(() => {
  readLargeTables()
  readLargeTables() // Once is enough; twice does no harm.
  for (const product of products) repository.addProduct(product)
  for (let release = 0; release < 50; release += 1) repository.addRelease('product-0', `1.${release}.0`)
  repository.publish(...products, ...EVERYTHING)
})

const KINDS = { targets: MetadataKind.Targets, snapshot: MetadataKind.Snapshot, 'product-0': MetadataKind.Targets }

const fileOf = (role: string): Loose => {
  const names = [...repository.files.keys()].filter((name) => name.endsWith(`.${role}.json`)).sort()
  return JSON.parse(String(repository.files.get(names.at(-1) ?? '')))
}
const read = (role: keyof typeof KINDS, file: Loose): Loose => Metadata.fromJSON(KINDS[role] as never, file as never)

describe.each(Object.keys(KINDS) as (keyof typeof KINDS)[])('%s', (role) => {
  test('loses nothing, and is signed over the same bytes', () => {
    const file = fileOf(role)
    Object.assign(file.signed, { 'x-field': [1, { deep: true }] })
    const model = read(role, file)
    expect(model.toJSON()).toEqual(file)
    expect(canonicalBytes(model.signed.toJSON())).toEqual(canonicalBytes(file.signed))
    expect(model.signed.toJSON()).toEqual(model.signed.toJSON()) // Asking changes nothing.
    expect(model.signed.equals(read(role, file).signed)).toBe(true)
  })
})

test('entries are of the library’s own classes, and found by their names', () => {
  const targets = read('targets', fileOf('targets')).signed
  const role = targets.delegations.roles['product-7']
  expect([role.constructor.name, role.isDelegatedPath('product-7/1.0.0/any.index')]).toEqual(['DelegatedRole', true])
  expect(Object.keys(targets.delegations.roles)).toEqual(products)
  expect(targets.delegations.keys[role.keyIDs[0]]).toMatchObject({ keyID: role.keyIDs[0], scheme: 'ed25519' })
  expect(read('snapshot', fileOf('snapshot')).signed.meta['product-7.json'].constructor.name).toBe('MetaFile')
  const [target] = Object.values<Loose>(read('product-0', fileOf('product-0')).signed.targets)
  expect(target?.constructor.name).toBe('TargetFile')
})

describe('is refused as a small one is', () => {
  const middle = (table: Loose): string => Object.keys(table)[50] ?? ''
  test.each<[string, keyof typeof KINDS, (signed: Loose) => unknown, RegExp]>([
    [
      'a role that is there twice',
      'targets',
      ({ delegations: { roles } }) => roles.push(roles[3]),
      /duplicate delegated role/,
    ],
    [
      'the name of a top-level role',
      'targets',
      ({ delegations: { roles } }) => (roles[50].name = 'snapshot'),
      /top-level role/,
    ],
    ['a role that is none', 'targets', ({ delegations: { roles } }) => (roles[50] = 'x'), /./],
    ['a role without keys', 'targets', ({ delegations: { roles } }) => delete roles[50].keyids, /./],
    ['a key that is none', 'targets', ({ delegations: { keys } }) => (keys[middle(keys)] = 5), /malformed/],
    ['a key without a value', 'targets', ({ delegations: { keys } }) => delete keys[middle(keys)].keyval, /./],
    ['an entry that is none', 'snapshot', ({ meta }) => (meta[middle(meta)] = null), /malformed/],
    ['a version of 0', 'snapshot', ({ meta }) => (meta[middle(meta)].version = -1), /./],
    ['a target that is none', 'product-0', ({ targets }) => (targets[middle(targets)] = 'x'), /./],
    ['a target without a length', 'product-0', ({ targets }) => delete targets[middle(targets)].length, /./],
  ])('%s', (_, role, spoil, says) => {
    const file = fileOf(role)
    spoil(file.signed)
    expect(() => read(role, file)).toThrow(says)
  })
})

test('the library still copies the whole table for each entry, which is why this is here', () => {
  const models = createRequire(import.meta.url)
    .resolve('@tufjs/models')
    .replace(/index\.js$/, '')
  for (const file of ['delegations.js', 'snapshot.js', 'targets.js']) {
    expect(readFileSync(`${models}${file}`, 'utf8')).toMatch(/reduce\(\(acc, .*=> \(\{\s+\.\.\.acc,/)
  }
})
