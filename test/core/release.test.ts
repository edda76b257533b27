import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from '@jest/globals'
import { LIMITS } from '@updraft/core/limits'
import { parseRelease } from '@updraft/core/release'

const PATH = 'acme/1.4.0/linux-x64.index'
let frozen: Record<string, unknown>

beforeAll(async () => {
  frozen = JSON.parse(await readFile(join(import.meta.dirname, '../fixtures/release/schema-1.json'), 'utf8'))
})

describe('what is signed about a release', () => {
  test('is read as it was frozen', () => {
    expect(parseRelease(frozen, PATH)).toEqual(frozen)
  })

  test('needs no index patches, which came later', () => {
    const { indexPatches: _, ...older } = frozen
    expect(parseRelease(older, PATH)).toEqual(older)
  })

  test('may say what a newer publisher adds; that is left out', () => {
    expect(parseRelease({ ...frozen, somethingNew: 1 }, PATH)).toEqual(frozen)
  })

  const patch = { from: 'a'.repeat(64), lengthBytes: 1, sha256: 'b'.repeat(64) }
  test.each<[string, object]>([
    ['a newer schema', { schema: 2 }],
    ['another release than its path says', { version: '1.5.0' }],
    ['a product that is no name', { product: '../acme' }],
    ['a patch from no digest', { indexPatches: [{ ...patch, from: '../../etc/passwd' }] }],
    ['a patch under no digest', { indexPatches: [{ ...patch, sha256: 'B'.repeat(64) }] }],
    ['a patch longer than any index', { indexPatches: [{ ...patch, lengthBytes: LIMITS.indexLengthBytes + 1 }] }],
    ['a patch of half a byte', { indexPatches: [{ ...patch, lengthBytes: 0.5 }] }],
    ['more patches than allowed', { indexPatches: Array.from({ length: LIMITS.patchesMax + 1 }, () => patch) }],
  ])('is refused with %s', (_, change) => {
    expect(() => parseRelease({ ...frozen, ...change }, PATH)).toThrow(
      expect.objectContaining({ code: 'RELEASE_INVALID' }),
    )
  })
})
