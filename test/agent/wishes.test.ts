// What the owner of a machine says is kept over restarts, and what could never matter is refused.
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { parseSettings } from '@updraft/agent/settings'
import { openStore, type Store } from '@updraft/agent/store'
import { fulfil } from '@updraft/agent/wishes'
import type { Wish } from '@updraft/core/control/api'
import { makeDirectory } from '@updraft/core/files/atomic'
import { parseProduct, parseReleaseVersion } from '@updraft/core/names'
import { type TemporaryHome, temporaryHome } from '../support/fake-agent-parts.ts'

const ACME = parseProduct('acme')
const NOW = new Date('2026-01-14T12:00:00.000Z')
const LATER = '2026-01-15T12:00:00.000Z'
const settings = parseSettings('{"products": {"acme": {"source": "main"}}}', 'agent.json')

let home: TemporaryHome
let store: Store

beforeEach(async () => {
  home = temporaryHome()
  await makeDirectory(home.stateDirectory)
  store = openStore(home.stateDirectory)
})
afterEach(() => {
  store[Symbol.dispose]()
  home[Symbol.dispose]()
})

const reopen = (): void => {
  store[Symbol.dispose]()
  store = openStore(home.stateDirectory)
}
const wish = (wanted: Wish, product = 'acme') => fulfil(product, wanted, { store, settings, now: NOW })
const offer = (...versions: string[]) =>
  store.firstSeen.note(
    ACME,
    versions.map((version) => ({ name: `acme_${version}_any`, digest: version })),
    NOW.toISOString(),
  )
const verdictOf = (version: string) => store.wishes.of(ACME).verdicts.get(parseReleaseVersion(version))

describe('a hold', () => {
  test('is kept over a restart, takes the place of the one before, and goes', () => {
    expect(wish({ kind: 'hold', until: LATER })).toEqual({ product: 'acme', kind: 'hold', until: LATER, changed: true })
    reopen()
    expect(store.wishes.of(ACME).hold).toEqual({ since: NOW.toISOString(), until: LATER })
    wish({ kind: 'hold' })
    reopen()
    expect(store.wishes.of(ACME).hold).toEqual({ since: NOW.toISOString(), until: undefined })
    expect(wish({ kind: 'unhold' }).changed).toBe(true)
    expect(wish({ kind: 'unhold' }).changed).toBe(false)
    expect(store.wishes.of(ACME).hold).toBeUndefined()
  })

  test('is of one product', () => {
    wish({ kind: 'hold' })
    expect(store.wishes.of(parseProduct('other')).hold).toBeUndefined()
  })
})

describe('a verdict', () => {
  test('is kept over a restart, and the last one counts', () => {
    offer('1.0.0', '1.1.0')
    expect(wish({ kind: 'skip', version: '1.1.0' })).toMatchObject({ version: '1.1.0', changed: true })
    expect(wish({ kind: 'skip', version: '1.1.0' }).changed).toBe(false)
    reopen()
    expect(verdictOf('1.1.0')).toBe('skipped')
    wish({ kind: 'approve', version: '1.1.0' })
    expect([verdictOf('1.1.0'), verdictOf('1.0.0')]).toEqual(['approved', undefined])
  })

  test('without a version is about the newest that waits for it', () => {
    const rules = [
      { rule: 'minimum-age', passed: false, detail: '', version: '1.3.0' },
      { rule: 'approved', passed: true, detail: '', version: '1.3.0' },
      { rule: 'approved', passed: false, detail: '', version: '1.2.0' },
      { rule: 'approved', passed: false, detail: '', version: '1.1.0' },
    ]
    const at = NOW.toISOString()
    store.checks.decided({ product: ACME, at, available: undefined, rules, signers: [], threshold: 1 })
    expect(wish({ kind: 'approve' })).toEqual({ product: 'acme', kind: 'approve', version: '1.2.0', changed: true })
  })
})

test.each<[string, Wish, string, string, RegExp]>([
  ['of an unknown product', { kind: 'hold' }, 'ghost', 'PRODUCT_UNKNOWN', /ghost is neither/],
  ['of a product that is no name', { kind: 'hold' }, '../x', 'PRODUCT_INVALID', /not allowed/],
  ['that is over', { kind: 'hold', until: NOW.toISOString() }, 'acme', 'USAGE', /is over already/],
  ['about what nobody offers', { kind: 'skip', version: '9.0.0' }, 'acme', 'RELEASE_UNKNOWN', /9\.0\.0 is not offered/],
  ['about no version', { kind: 'approve', version: 'v1' }, 'acme', 'VERSION_INVALID', /"v1"/],
  ['with nothing that waits', { kind: 'approve' }, 'acme', 'RELEASE_UNKNOWN', /waits for approval/],
])('a wish %s is refused, and nothing is kept', (_, wanted, product, code, message) => {
  offer('1.0.0')
  expect(() => wish(wanted, product)).toThrow(
    expect.objectContaining({ code, message: expect.stringMatching(message) }),
  )
  expect(store.wishes.of(ACME)).toEqual({ hold: undefined, verdicts: new Map() })
})

describe('when a release was first seen', () => {
  const note = (at: string, ...offered: { readonly name: string; readonly digest: string }[]) =>
    Object.fromEntries(store.firstSeen.note(ACME, offered, at))
  const one = { name: 'acme_1.0.0_any', digest: 'a' }
  const two = { name: 'acme_1.1.0_any', digest: 'b' }

  test('stays the first time, over restarts', () => {
    expect(note('2026-01-01T00:00:00.000Z', one)).toEqual({ [one.name]: '2026-01-01T00:00:00.000Z' })
    reopen()
    expect(note('2026-01-05T00:00:00.000Z', one, two)).toEqual({
      [one.name]: '2026-01-01T00:00:00.000Z',
      [two.name]: '2026-01-05T00:00:00.000Z',
    })
    expect(store.firstSeen.names(ACME)).toEqual([one.name, two.name])
  })

  test('is now for other content under the same name', () => {
    note('2026-01-01T00:00:00.000Z', one)
    expect(note('2026-01-05T00:00:00.000Z', { ...one, digest: 'c' })).toEqual({
      [one.name]: '2026-01-05T00:00:00.000Z',
    })
  })

  test('is now if it lies ahead, because the clock was set back', () => {
    note('2030-01-01T00:00:00.000Z', one)
    expect(note('2026-01-05T00:00:00.000Z', one)).toEqual({ [one.name]: '2026-01-05T00:00:00.000Z' })
    expect(note('2026-01-06T00:00:00.000Z', one)).toEqual({ [one.name]: '2026-01-05T00:00:00.000Z' })
  })

  test('is forgotten with the release, so that the table does not grow', () => {
    note('2026-01-01T00:00:00.000Z', one, two)
    note('2026-01-02T00:00:00.000Z', two)
    expect(store.firstSeen.names(ACME)).toEqual([two.name])
    expect(note('2026-01-03T00:00:00.000Z', one)).toEqual({ [one.name]: '2026-01-03T00:00:00.000Z' })
  })

  test('of one product says nothing of another', () => {
    note('2026-01-01T00:00:00.000Z', one)
    expect(store.firstSeen.note(parseProduct('other'), [], NOW.toISOString()).size).toBe(0)
    expect(store.firstSeen.names(ACME)).toEqual([one.name])
  })
})
