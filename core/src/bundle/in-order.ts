// Runs several tasks at a time: in order, so that what is written never depends on which of them was faster; or each as soon as
// what it needs is there.

/**
 * Runs `start` for every item, at most `ahead` of them at a time, and yields the results in order.
 *
 * Results that wait for their turn are held, so `ahead` also bounds memory. After an error no further task is started.
 */
export async function* inOrder<Item, Result>(
  items: Iterable<Item>,
  ahead: number,
  start: (item: Item) => Promise<Result>,
): AsyncGenerator<Result, void, void> {
  const running: Promise<Result>[] = []
  try {
    for (const item of items) {
      const task = start(item)
      // It may fail long before its turn; the failure is thrown then.
      task.catch(() => {})
      running.push(task)
      const first = running.length >= ahead ? running.shift() : undefined
      if (first !== undefined) yield await first
    }
    while (running.length > 0) {
      const first = running.shift()
      if (first !== undefined) yield await first
    }
  } finally {
    await Promise.allSettled(running)
  }
}

/** So many items wait at a time: each costs a few hundred bytes, and there may be a million. */
const WAITING_MAX = 4096

/**
 * Runs `start` for every item as soon as it is `ready`, at most `ahead` of them at a time, in whatever order that is.
 *
 * After an error no further task is started; those that run are left alone.
 */
export const asReady = async <Item>(
  items: readonly Item[],
  ahead: number,
  ready: (item: Item) => Promise<unknown>,
  start: (item: Item) => Promise<unknown>,
): Promise<void> => {
  const queue: (() => void)[] = []
  let free = ahead
  let isFailed = false
  const run = async (item: Item): Promise<void> => {
    try {
      await ready(item)
      if (free > 0) free -= 1
      else await new Promise<void>((next) => queue.push(next))
      if (!isFailed) await start(item)
    } catch (error) {
      isFailed = true
      throw error
    }
    // Whoever ends hands its place to the next one.
    const next = queue.shift()
    if (next === undefined) free += 1
    else next()
  }
  for (let at = 0; at < items.length; at += WAITING_MAX) {
    await Promise.all(items.slice(at, at + WAITING_MAX).map(run))
  }
}
