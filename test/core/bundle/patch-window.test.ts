// What of a large release a patch is made from: little, and the right part.
import { describe, expect, test } from '@jest/globals'
import { likePositions } from '@updraft/core/bundle/patch/likeness'
import { makePatch } from '@updraft/core/bundle/patch/patch'
import { segmentsOf, sourceOf, targetOf } from '@updraft/core/bundle/patch/sequence'
import { cutAtEnds, placeAt, positionAt } from '@updraft/core/bundle/patch/stretches'
import { windowOf } from '@updraft/core/bundle/patch/window'
import { bundle, noise } from './bundle-support.ts'

const MIB = 1024 * 1024

describe('of a release larger than the window', () => {
  const content = noise(20 * MIB, 'large')
  /** Every thousandth byte from `at` on is another one. */
  const changedAt = (...places: readonly number[]): Buffer => {
    const changed = Buffer.from(content)
    for (const place of places) {
      for (let at = place; at < place + 100_000; at += 1000) changed.writeUInt8((changed.readUInt8(at) + 1) & 0xff, at)
    }
    return changed
  }

  test('what lies around each change is looked at, and the patch has the changed bytes and no more', async () => {
    const older = await bundle({ a: content })
    const newer = await bundle({ a: changedAt(MIB, 19 * MIB) }, older)
    const [source, target] = [sourceOf(older.index), targetOf(newer.index, older.index)]
    const [segment, ...others] = segmentsOf(target)
    if (segment === undefined) throw new Error('there is nothing to patch')
    expect(others).toEqual([])
    const spans = windowOf(source, likePositions(older.index, source, newer.index, target), segment)
    const bytes = spans.map(({ first, end }) => (source.positions[end] ?? 0) - (source.positions[first] ?? 0))
    expect(bytes.reduce((sum, each) => sum + each, 0)).toBeLessThanOrEqual(16 * MIB)
    expect(spans).toHaveLength(2)
    expect((await makePatch({ older, newer, workers: 1 }))?.length).toBeLessThan(2_000)
  }, 120_000)

  test('what is like nothing in it is carried as it is, and given up where that is too much', async () => {
    const older = await bundle({ a: content.subarray(0, 2 * MIB) })
    const newer = await bundle({ a: noise(2 * MIB, 'another') }, older)
    const patch = await makePatch({ older, newer, workers: 1 })
    expect(patch?.length).toBeGreaterThan(2 * MIB)
    expect(await makePatch({ older, newer, workers: 1, lengthMax: MIB })).toBeUndefined()
  }, 120_000)
})

describe('stretches of a source', () => {
  /** Bytes 100 to 109 and 500 to 519 of a thousand. */
  const stretches = {
    places: Float64Array.of(0, 10, 30),
    positions: Float64Array.of(100, 500),
    sourceLength: 1000,
  }

  test('know where each byte is, in both directions', () => {
    for (const [place, position] of [
      [0, 100],
      [9, 109],
      [10, 500],
      [29, 519],
    ] as const) {
      expect(positionAt(stretches, place)).toBe(position)
      expect(placeAt(stretches, position)).toBe(place)
    }
  })

  test('cut a copy where one ends, and leave the others alone', () => {
    const operations = { moves: [5, 0, -2], copies: [12, 3, 4], literals: [7, 0, 1] }
    expect(cutAtEnds(operations, stretches)).toEqual({
      moves: [5, 0, 0, -2],
      copies: [5, 7, 3, 4],
      literals: [0, 7, 0, 1],
    })
  })
})
