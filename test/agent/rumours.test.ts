// What others say that they have is a reason to look: once, after a while, and ever more seldom if there is nothing in it.
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { openRumours } from '@updraft/agent/news/rumours'

beforeEach(() => void jest.useFakeTimers())
afterEach(() => void jest.useRealTimers())

const editionOf = (timestamp: number) => ({ root: 1, timestamp, snapshot: timestamp })

const listening = () => {
  const shunned: string[] = []
  let looks = 0
  const rumours = openRumours({
    onNews: () => {
      looks += 1
    },
    random: () => 0.5,
    onFalse: (subjects) => shunned.push(...subjects),
  })
  const says = (who: string, timestamp: number) => rumours.heard({ subjects: [who], edition: editionOf(timestamp) })
  return { rumours, says, shunned, looks: () => looks }
}

const MINUTE_MS = 60_000

test('many who say it at once are one look, at a moment of its own', () => {
  const { says, looks } = listening()
  for (let n = 0; n < 1_000; n += 1) says(`address 192.0.2.${n}`, 7)
  expect(looks()).toBe(0)
  jest.advanceTimersByTime(5_000)
  expect(looks()).toBe(1)
  jest.advanceTimersByTime(60 * MINUTE_MS)
  expect(looks()).toBe(1)
})

test('the next look is a minute later at the earliest, and twice as late after each that found nothing', () => {
  const { rumours, says, looks } = listening()
  const looksAfter: number[] = []
  for (let round = 0; round < 4; round += 1) {
    says('address 192.0.2.1', 7)
    jest.advanceTimersByTime(5_000)
    let minutes = 0
    for (const before = looks(); looks() === before && round > 0 && looks() <= round; minutes += 1) {
      jest.advanceTimersByTime(MINUTE_MS)
    }
    looksAfter.push(minutes)
    rumours.settled(editionOf(1), false)
  }
  expect(looks()).toBe(4)
  expect(looksAfter).toEqual([0, 1, 2, 4])
})

test('whoever said what was not so is told of, whoever was right is not', () => {
  const { rumours, says, shunned } = listening()
  says('address 192.0.2.1', 7)
  says('address 192.0.2.2', 1_000)
  rumours.settled(editionOf(7), true)
  expect(shunned).toEqual(['address 192.0.2.2'])
})

test('news that was true keeps the pause short', () => {
  const { rumours, says, looks } = listening()
  for (let version = 2; version <= 6; version += 1) {
    says('address 192.0.2.1', version)
    jest.advanceTimersByTime(MINUTE_MS + 5_000)
    expect(looks()).toBe(version - 1)
    rumours.settled(editionOf(version), true)
  }
})

test('nothing happens after the end', () => {
  const { rumours, says, looks } = listening()
  says('address 192.0.2.1', 7)
  rumours.close()
  jest.advanceTimersByTime(MINUTE_MS)
  expect(looks()).toBe(0)
})
