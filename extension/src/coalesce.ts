// Turns many requests into few runs: the first at once, later ones together, never two runs at the same time. What
// arrives a hundred times a second is so drawn, or asked for, a few times a second.

export interface Coalesced extends Disposable {
  readonly request: () => void
}

/** Runs `run` at most once every `spacingMs`, and once more after the last request. `run` deals with its own errors. */
export const coalesce = (run: () => void | Promise<void>, spacingMs: number): Coalesced => {
  let isRequested = false
  let isBusy = false // Running, or resting after a run.
  let isDisposed = false
  let timer: NodeJS.Timeout | undefined

  const start = async (): Promise<void> => {
    if (isBusy || isDisposed || !isRequested) return
    isBusy = true
    isRequested = false
    await run()
    timer = setTimeout(() => {
      isBusy = false
      void start()
    }, spacingMs)
    if (isDisposed) clearTimeout(timer)
  }
  return {
    request: () => {
      isRequested = true
      void start()
    },
    [Symbol.dispose]: () => {
      isDisposed = true
      clearTimeout(timer)
    },
  }
}
