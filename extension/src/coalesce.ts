// Turns many requests into few runs: the first at once, later ones together, never two runs at the same time. What
// arrives a hundred times a second is so drawn, or asked for, a few times a second.

export interface Coalesced extends Disposable {
  readonly request: () => void
}

/** Runs `run` at most once every `spacingMs`, and once more after the last request. `run` deals with its own errors. */
export const coalesce = (run: () => void | Promise<void>, spacingMs: number): Coalesced => {
  let isResting = false
  let isRequested = false
  let timer: NodeJS.Timeout | undefined

  const start = async (): Promise<void> => {
    isResting = true
    isRequested = false
    await run()
    timer = setTimeout(() => {
      isResting = false
      if (isRequested) void start()
    }, spacingMs)
  }
  return {
    request: () => {
      isRequested = true
      if (!isResting) void start()
    },
    [Symbol.dispose]: () => {
      isResting = true // For good: no run starts any more.
      clearTimeout(timer)
    },
  }
}
