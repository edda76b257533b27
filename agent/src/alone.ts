// Work that must not overlap with other work of the same name in this process.

export type Alone = <T>(key: string, work: () => Promise<T>) => Promise<T>

/** Runs what has the same key one after the other, in the order of the calls; a failure does not stop those behind it. */
export const oneAtATime = (): Alone => {
  const tails = new Map<string, Promise<unknown>>()
  return async (key, work) => {
    const before = tails.get(key)
    const mine = before === undefined ? work() : before.then(work, work)
    tails.set(key, mine)
    try {
      return await mine
    } finally {
      if (tails.get(key) === mine) tails.delete(key)
    }
  }
}
