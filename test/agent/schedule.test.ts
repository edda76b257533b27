// When products are looked at: one look at a time each, anew after changes, later after failures, and no more after the end.
import { describe, expect, jest, test } from '@jest/globals'
import { delaySeconds, recheckDelayMs, type Schedule, startSchedule } from '@updraft/agent/schedule'
import { type ProductSettings, parseSettings } from '@updraft/agent/settings'

const product = (name: string, channel = 'stable'): ProductSettings =>
  parseSettings(JSON.stringify({ products: { [name]: { source: 'main', channel } } }), 'agent.json')
    .products[0] as ProductSettings

const ACME = product('acme')
const TOOL = product('tool')

interface Looked {
  readonly product: ProductSettings
  readonly signal: AbortSignal
  readonly end: (error?: unknown) => void
}

/** A schedule whose looks are ended by the test. */
const observed = (repeat = true, recheckAt?: () => Date | undefined) => {
  const looks: Looked[] = []
  const idle: [string, unknown][] = []
  const changed: (() => void)[] = []
  const schedule: Schedule = startSchedule({
    look: (looked, signal) =>
      new Promise((resolve, reject) => {
        const end = (error?: unknown) => (error === undefined ? resolve() : reject(error))
        signal.addEventListener('abort', () => reject(new Error('broken off')), { once: true })
        looks.push({ product: looked, signal, end })
        for (const notify of changed.splice(0)) notify()
      }),
    onIdle: ({ name }, error) => {
      idle.push([name, error])
      for (const notify of changed.splice(0)) notify()
    },
    repeat,
    ...(recheckAt === undefined ? {} : { recheckAt }),
    now: () => new Date(1_000_000),
    random: () => 0.5,
  })
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await new Promise<void>((resolve) => changed.push(resolve))
  }
  return { schedule, looks, idle, until }
}

test('every product is looked at at once, each by itself', async () => {
  const { schedule, looks, idle, until } = observed()
  schedule.apply([ACME, TOOL], 3_600)
  expect(looks.map((look) => look.product.name)).toEqual(['acme', 'tool'])
  looks[1]?.end()
  await until(() => idle.length === 1)
  expect(idle).toEqual([['tool', undefined]])
  expect(schedule.nextCheckAt(TOOL.name)).toEqual(new Date(1_000_000 + 3_600_000))
  expect(schedule.nextCheckAt(ACME.name)).toBeUndefined()
  await schedule[Symbol.asyncDispose]()
})

test('is looked at again after the interval', async () => {
  const { schedule, looks, until } = observed()
  schedule.apply([ACME], 0.02)
  looks[0]?.end()
  await until(() => looks.length === 2)
  looks[1]?.end()
  await until(() => looks.length === 3)
  await schedule[Symbol.asyncDispose]()
})

test('a check during a look leads to one more look, and to one rest', async () => {
  const { schedule, looks, idle, until } = observed()
  schedule.apply([ACME], 3_600)
  for (let index = 0; index < 5; index += 1) schedule.check(ACME.name)
  expect(looks).toHaveLength(1)
  looks[0]?.end()
  await until(() => looks.length === 2)
  expect(idle).toEqual([])
  looks[1]?.end()
  await until(() => idle.length === 1)
  expect(looks).toHaveLength(2)
  await schedule[Symbol.asyncDispose]()
})

test('a check of one product leaves the others alone; one of all does not', async () => {
  const { schedule, looks, idle, until } = observed()
  schedule.apply([ACME, TOOL], 3_600)
  for (const look of looks) look.end()
  await until(() => idle.length === 2)
  schedule.check(TOOL.name)
  expect(looks.slice(2).map((look) => look.product.name)).toEqual(['tool'])
  looks[2]?.end()
  await until(() => idle.length === 3)
  schedule.check()
  expect(looks.slice(3).map((look) => look.product.name)).toEqual(['acme', 'tool'])
  await schedule[Symbol.asyncDispose]()
})

test('a product whose settings changed is looked at anew, and its look under way is broken off', async () => {
  const { schedule, looks, idle, until } = observed()
  schedule.apply([ACME, TOOL], 3_600)
  schedule.apply([product('acme', 'beta'), TOOL], 3_600)
  expect(looks[0]?.signal.aborted).toBe(true)
  expect(looks[1]?.signal.aborted).toBe(false)
  await until(() => looks.length === 3)
  expect(looks[2]?.product.channel).toBe('beta')
  expect(idle).toEqual([])
  await schedule[Symbol.asyncDispose]()
})

test('a product that was removed is let go without a word', async () => {
  const { schedule, looks, idle } = observed()
  schedule.apply([ACME, TOOL], 3_600)
  schedule.apply([TOOL], 3_600)
  expect(looks[0]?.signal.aborted).toBe(true)
  looks[1]?.end()
  await schedule.whenIdle()
  expect(idle.map(([name]) => name)).toEqual(['tool'])
  expect(schedule.nextCheckAt(ACME.name)).toBeUndefined()
  await schedule[Symbol.asyncDispose]()
})

test('a product that was removed and comes back is looked at when its look from before has ended', async () => {
  const { schedule, looks, until } = observed()
  schedule.apply([ACME], 3_600)
  schedule.apply([], 3_600)
  schedule.apply([ACME], 3_600)
  schedule.check()
  expect(looks).toHaveLength(1)
  await until(() => looks.length === 2)
  expect(looks.map((look) => look.signal.aborted)).toEqual([true, false])
  await schedule[Symbol.asyncDispose]()
})

test('a failed look tells why, and the next one comes sooner', async () => {
  const { schedule, looks, idle, until } = observed()
  const why = new Error('no answer')
  schedule.apply([ACME], 3_600)
  looks[0]?.end(why)
  await until(() => idle.length === 1)
  expect(idle).toEqual([['acme', why]])
  expect(schedule.nextCheckAt(ACME.name)).toEqual(new Date(1_000_000 + 60_000))
  await schedule[Symbol.asyncDispose]()
})

describe('a clock that jumps', () => {
  test('has everything that waits looked at within seconds, and nothing twice', async () => {
    const { schedule, looks, idle, until } = observed()
    schedule.apply([ACME, TOOL], 3_600)
    looks[0]?.end()
    await until(() => idle.length === 1)
    schedule.clockJumped()
    expect(schedule.nextCheckAt(ACME.name)).toEqual(new Date(1_000_000 + 10_000))
    expect(schedule.nextCheckAt(TOOL.name)).toBeUndefined()
    schedule.clockJumped()
    expect(looks).toHaveLength(2)
    await schedule[Symbol.asyncDispose]()
  })

  test('makes nobody look who looks once', async () => {
    const { schedule, looks, idle, until } = observed(false)
    schedule.apply([ACME], 3_600)
    looks[0]?.end()
    await until(() => idle.length === 1)
    schedule.clockJumped()
    expect(schedule.nextCheckAt(ACME.name)).toBeUndefined()
    await schedule[Symbol.asyncDispose]()
  })
})

test('no timer is set for longer than timers can count, whatever is asked for', async () => {
  const farAhead = new Date(1_000_000 + 2 ** 40)
  const { schedule, looks, idle, until } = observed(true, () => farAhead)
  schedule.apply([ACME], 7 * 24 * 3_600)
  looks[0]?.end()
  await until(() => idle.length === 1)
  const waitMs = (schedule.nextCheckAt(ACME.name)?.getTime() ?? 0) - 1_000_000
  expect(waitMs).toBeGreaterThan(24 * 3_600_000)
  expect(waitMs).toBeLessThan(2 ** 31)
  await schedule[Symbol.asyncDispose]()
})

describe('work between two looks', () => {
  test('breaks off the look under way, is done while none goes on, and is followed by a look', async () => {
    const { schedule, looks, until } = observed()
    schedule.apply([ACME, TOOL], 3_600)
    const work = Promise.withResolvers<string>()
    const done = schedule.between(ACME.name, () => work.promise)
    expect(looks.map(({ signal }) => signal.aborted)).toEqual([true, false])
    await new Promise((resolve) => setImmediate(resolve))
    expect(looks).toHaveLength(2)
    work.resolve('done')
    expect(await done).toBe('done')
    await until(() => looks.length === 3)
    expect(looks[2]?.signal.aborted).toBe(false)
    await schedule[Symbol.asyncDispose]()
  })

  test('that fails tells whoever asked, and nobody else; several take their turns', async () => {
    const { schedule, looks, idle, until } = observed()
    schedule.apply([ACME], 3_600)
    looks[0]?.end()
    await until(() => idle.length === 1)
    const order: number[] = []
    const failing = schedule.between(ACME.name, async () => {
      order.push(1)
      throw new Error('nothing to go back to')
    })
    const second = schedule.between(ACME.name, async () => order.push(2))
    await expect(failing).rejects.toThrow('nothing to go back to')
    await second
    expect(order).toEqual([1, 2])
    await until(() => looks.length === 2)
    looks[1]?.end()
    await until(() => idle.length === 2)
    expect(idle).toEqual([
      ['acme', undefined],
      ['acme', undefined],
    ])
    await schedule[Symbol.asyncDispose]()
  })

  test('for a product that is let go, or unknown, is not done, and says so', async () => {
    const { schedule } = observed()
    schedule.apply([ACME], 3_600)
    let isDone = false
    const work = async () => {
      isDone = true
    }
    const waiting = schedule.between(ACME.name, work)
    schedule.apply([], 3_600)
    await expect(waiting).rejects.toMatchObject({ code: 'ABORTED' })
    await expect(schedule.between(TOOL.name, work)).rejects.toMatchObject({ code: 'ABORTED' })
    expect(isDone).toBe(false)
    await schedule[Symbol.asyncDispose]()
  })
})

test.each([
  ['earlier than the interval', 60_000, 60_000 + 180_000],
  ['later than the interval', 7_200_000, 3_600_000],
  ['over already', -60_000, 180_000],
])('what is due %s', async (_, dueMs, expectedMs) => {
  const { schedule, looks, idle, until } = observed(true, () => new Date(1_000_000 + dueMs))
  schedule.apply([ACME], 3_600)
  looks[0]?.end()
  await until(() => idle.length === 1)
  expect(schedule.nextCheckAt(ACME.name)).toEqual(new Date(1_000_000 + expectedMs))
  await schedule[Symbol.asyncDispose]()
})

test('what is due is looked at when it is, never before', async () => {
  jest.useFakeTimers()
  try {
    const due = [new Date(1_000_030), undefined]
    const { schedule, looks } = observed(true, () => due.shift())
    schedule.apply([ACME], 0.1)
    looks[0]?.end()
    await jest.advanceTimersByTimeAsync(29)
    expect(looks).toHaveLength(1)
    await jest.advanceTimersByTimeAsync(30) // Long before it would have its turn anyway.
    expect(looks).toHaveLength(2)
    looks[1]?.end()
    await schedule[Symbol.asyncDispose]()
  } finally {
    jest.useRealTimers()
  }
})

test.each([
  [3_600, 0, 0],
  [3_600, 1, 360_000],
  [604_800, 1, 600_000],
  [2, 1, 200],
])('with an interval of %d s and chance %d an appointment is %d ms late', (intervalSeconds, random, lateMs) => {
  const now = new Date(1_000_000)
  expect(recheckDelayMs({ recheck: new Date(1_005_000), now, intervalSeconds, random })).toBe(5_000 + lateMs)
  expect(recheckDelayMs({ recheck: new Date(0), now, intervalSeconds, random })).toBe(lateMs)
})

test('once means once', async () => {
  const { schedule, looks, idle } = observed(false)
  schedule.apply([ACME], 0.001)
  looks[0]?.end()
  await schedule.whenIdle()
  expect(idle).toHaveLength(1)
  expect(schedule.nextCheckAt(ACME.name)).toBeUndefined()
  await schedule[Symbol.asyncDispose]()
})

test('the end breaks off every look, waits for it, and tells nothing more', async () => {
  const { schedule, looks, idle } = observed()
  schedule.apply([ACME, TOOL], 3_600)
  await schedule[Symbol.asyncDispose]()
  expect(looks.every((look) => look.signal.aborted)).toBe(true)
  expect(idle).toEqual([])
  schedule.check()
  expect(looks).toHaveLength(2)
})

describe('delays', () => {
  const cases: readonly (readonly [name: string, intervalSeconds: number, failures: number, expected: number])[] = [
    ['the interval, when all is well', 3_600, 0, 3_600],
    ['a minute after the first failure', 3_600, 1, 60],
    ['twice that after the second', 3_600, 2, 120],
    ['never more than the interval', 3_600, 50, 3_600],
    ['a short interval is not made longer by the first failure', 5, 1, 5],
    ['but backs off as well', 5, 4, 40],
    ['up to a quarter of an hour', 5, 5_000, 900],
  ]
  test.each(cases)('%s', (_, intervalSeconds, failures, expected) => {
    expect(delaySeconds({ intervalSeconds, failures, random: 0.5 })).toBe(expected)
    expect(delaySeconds({ intervalSeconds, failures, random: 0 })).toBeCloseTo(expected * 0.9)
    expect(delaySeconds({ intervalSeconds, failures, random: 1 })).toBeCloseTo(expected * 1.1)
  })
})
