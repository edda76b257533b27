// Since when a release is known elsewhere: liars below the majority cannot make it older, whatever they say.
import { describe, expect, test } from '@jest/globals'
import { seenByPeers } from '@updraft/agent/plan/seen-by-peers'
import fc from 'fast-check'

const at = (hours: number): string => new Date(Date.UTC(2026, 0, 10) + hours * 3_600_000).toISOString()
const LONG_AGO = at(-1_000)

describe('by when most of the named machines had seen a release', () => {
  test.each([
    ['all of three say so: when two of them had', 3, [at(1), at(2), at(3)], at(2)],
    ['two of three answer', 3, [at(5), at(1)], at(5)],
    ['one of three answers, which is no majority', 3, [at(1)], undefined],
    ['nobody answers', 5, [], undefined],
    ['two of five answer', 5, [at(1), at(1)], undefined],
    ['two of five lie', 5, [LONG_AGO, LONG_AGO, at(3), at(4), at(5)], at(3)],
    ['two of four are no majority', 4, [LONG_AGO, LONG_AGO], undefined],
    ['what is no time counts for nobody', 3, ['soon', 'x', at(1)], undefined],
    ['two machines are too few to be asked', 2, [LONG_AGO, LONG_AGO], undefined],
  ])('%s', (_, named, times, moment) => {
    expect(seenByPeers({ times, named, published: LONG_AGO })).toBe(moment)
  })

  test('never before the date that was signed', () => {
    expect(seenByPeers({ times: [LONG_AGO, LONG_AGO, LONG_AGO], named: 3, published: at(0) })).toBe(at(0))
  })

  test('liars below the majority never get before the first honest machine', () => {
    const hours = fc.integer({ min: -100_000, max: 100_000 })
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 20 }), fc.array(hours), fc.array(hours), (named, lies, truths) => {
        const liars = lies.slice(0, Math.floor(named / 2))
        const honest = truths.slice(0, named - liars.length)
        const told = seenByPeers({ times: [...liars, ...honest].map(at), named, published: LONG_AGO })
        if (told !== undefined) expect(Date.parse(told)).toBeGreaterThanOrEqual(Date.parse(at(Math.min(...honest))))
      }),
    )
  })
})
