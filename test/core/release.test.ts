import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from '@jest/globals'
import { LIMITS } from '@updraft/core/limits'
import { COHORTS, parseRelease } from '@updraft/core/release'

const PATH = 'acme/1.4.0/linux-x64.index'
let frozen: Record<string, unknown>
/** The same, with what a publisher signs about it later. */
let amended: Record<string, unknown>

const readFixture = async (name: string): Promise<Record<string, unknown>> =>
  JSON.parse(await readFile(join(import.meta.dirname, '../fixtures/release', name), 'utf8'))

beforeAll(async () => {
  frozen = await readFixture('schema-1.json')
  amended = await readFixture('schema-1-amended.json')
})

describe('what is signed about a release', () => {
  test('is read as it was frozen', () => {
    expect(parseRelease(frozen, PATH)).toEqual(frozen)
  })

  test('is read as it was frozen with rollout, urgency and yank, which came later', () => {
    expect(parseRelease(amended, PATH)).toEqual(amended)
    const { rollout: _, urgent: __, yanked: ___, ...older } = amended
    expect(older).toEqual(frozen)
  })

  test('needs no index patches, which came later', () => {
    const { indexPatches: _, ...older } = frozen
    expect(parseRelease(older, PATH)).toEqual(older)
  })

  test('may say what a newer publisher adds; that is left out', () => {
    expect(parseRelease({ ...frozen, somethingNew: 1 }, PATH)).toEqual(frozen)
  })

  const at = '2026-03-01T12:00:00Z'
  const later = '2026-03-02T12:00:00Z'
  const patch = { from: 'a'.repeat(64), lengthBytes: 1, sha256: 'b'.repeat(64) }
  test.each<[string, object]>([
    ['a newer schema', { schema: 2 }],
    ['another release than its path says', { version: '1.5.0' }],
    ['a product that is no name', { product: '../acme' }],
    ['a patch from no digest', { indexPatches: [{ ...patch, from: '../../etc/passwd' }] }],
    ['a patch under no digest', { indexPatches: [{ ...patch, sha256: 'B'.repeat(64) }] }],
    ['a patch longer than any index', { indexPatches: [{ ...patch, lengthBytes: LIMITS.indexLengthBytes + 1 }] }],
    ['a patch of half a byte', { indexPatches: [{ ...patch, lengthBytes: 0.5 }] }],
    ['a rollout without a step', { rollout: [] }],
    ['a rollout to part of a cohort', { rollout: [{ at, cohorts: 0.5 }] }],
    ['a rollout to more than all', { rollout: [{ at, cohorts: COHORTS + 1 }] }],
    ['a rollout to less than none', { rollout: [{ at, cohorts: -1 }] }],
    [
      'a rollout that shrinks',
      {
        rollout: [
          { at, cohorts: 2 },
          { at: later, cohorts: 1 },
        ],
      },
    ],
    [
      'a rollout that goes back in time',
      {
        rollout: [
          { at: later, cohorts: 1 },
          { at, cohorts: 2 },
        ],
      },
    ],
    [
      'a rollout that is two things at once',
      {
        rollout: [
          { at, cohorts: 1 },
          { at, cohorts: 2 },
        ],
      },
    ],
    ['a rollout at no time', { rollout: [{ at: 'soon', cohorts: 1 }] }],
    [
      'more steps than allowed',
      {
        rollout: Array.from({ length: LIMITS.rolloutStepsMax + 1 }, (_, day) => ({
          at: new Date(day).toISOString(),
          cohorts: 1,
        })),
      },
    ],
    ['an urgency that is not said', { urgent: false }],
    ['a yank without a reason', { yanked: { at, reason: '' } }],
    ['a yank with too much of a reason', { yanked: { at, reason: 'x'.repeat(LIMITS.yankReasonLength + 1) } }],
    ['a yank whose reason steers a terminal', { yanked: { at, reason: 'broken\u001b[2J' } }],
    ['a yank that leads to no version', { yanked: { at, reason: 'broken', goTo: 'back' } }],
    ['a yank that leads to itself', { yanked: { at, reason: 'broken', goTo: '1.4.0' } }],
    ['more patches than allowed', { indexPatches: Array.from({ length: LIMITS.patchesMax + 1 }, () => patch) }],
  ])('is refused with %s', (_, change) => {
    expect(() => parseRelease({ ...frozen, ...change }, PATH)).toThrow(
      expect.objectContaining({ code: 'RELEASE_INVALID' }),
    )
  })
})
