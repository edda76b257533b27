// Starts several tasks ahead and hands out their results in the order of the tasks, so that what is written never depends
// on which of them was faster.

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
