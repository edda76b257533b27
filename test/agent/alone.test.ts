// Work of one name runs one after the other; work of different names does not wait for each other.
import { expect, test } from '@jest/globals'
import { oneAtATime } from '@updraft/agent/alone'

test('the same key waits, in order, also after a failure; another key does not', async () => {
  const alone = oneAtATime()
  const order: string[] = []
  const first = Promise.withResolvers<void>()
  const work = (name: string, until?: Promise<void>) => async () => {
    order.push(`${name} begins`)
    await until
    order.push(`${name} ends`)
    return name
  }
  const failed = alone('a', () => work('first', first.promise)().then(() => Promise.reject(new Error('no'))))
  const second = alone('a', work('second'))
  expect(await alone('b', work('other'))).toBe('other')
  first.resolve()
  await expect(failed).rejects.toThrow('no')
  expect(await second).toBe('second')
  expect(order).toEqual(['first begins', 'other begins', 'other ends', 'first ends', 'second begins', 'second ends'])
  expect(await alone('a', work('third'))).toBe('third')
})
