// Who may speak: one notification at a time, for as long as it is open and at most for some seconds; a worse one at once.
// Knows neither what is told nor how.

export interface Turns extends Disposable {
  /** Whether something of this rank may be told now; the lower the number, the worse it is. */
  readonly isFreeFor: (rank: number) => boolean
  /** Tells it. Resolves when the turn is over: it was closed, or its time is up. Errors: those of `tell` before that. */
  readonly take: (rank: number, tell: () => Promise<void>) => Promise<void>
}

export const createTurns = (turnMs: number): Turns => {
  /** Ranks of those whose turn is not over. */
  const speaking: number[] = []
  const over = new Set<() => void>()
  return {
    isFreeFor: (rank) => speaking.every((other) => rank < other),
    take: async (rank, tell) => {
      speaking.push(rank)
      let end = (): void => {}
      const timeIsUp = new Promise<void>((resolve) => {
        end = resolve
      })
      over.add(end)
      const timer = setTimeout(end, turnMs)
      try {
        await Promise.race([tell(), timeIsUp])
      } finally {
        clearTimeout(timer)
        over.delete(end)
        speaking.splice(speaking.indexOf(rank), 1)
      }
    },
    [Symbol.dispose]: () => {
      for (const end of over) end()
    },
  }
}
