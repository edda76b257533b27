// Who waits for a part of a torrent: told once all pieces of it are verified and written, or that they will not come.
import type { Metainfo } from '../metainfo.ts'

export interface Waiting {
  /** Resolves once the bytes from `start` to `end` of the whole torrent are there. Errors: what `fail` is given. */
  whenHave(start: number, end: number): Promise<void>
  arrived(index: number): void
  /** For all who wait, and all who will for something that is not there. */
  fail(error: unknown): void
}

interface Waiter {
  readonly first: number
  readonly last: number
  missing: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

export const createWaiting = (
  { pieceLength }: Pick<Metainfo, 'pieceLength'>,
  has: (index: number) => boolean,
): Waiting => {
  const waiters = new Set<Waiter>()
  let failure: { readonly error: unknown } | undefined
  return {
    whenHave: (start, end) =>
      new Promise((resolve, reject) => {
        const first = Math.floor(start / pieceLength)
        const last = Math.ceil(end / pieceLength) - 1
        let missing = 0
        for (let index = first; index <= last; index += 1) if (!has(index)) missing += 1
        if (missing === 0) resolve()
        else if (failure !== undefined) reject(failure.error)
        else waiters.add({ first, last, missing, resolve, reject })
      }),
    arrived: (index) => {
      for (const waiter of waiters) {
        if (index < waiter.first || index > waiter.last) continue
        waiter.missing -= 1
        if (waiter.missing > 0) continue
        waiters.delete(waiter)
        waiter.resolve()
      }
    },
    fail: (error) => {
      failure ??= { error }
      for (const waiter of waiters) waiter.reject(error)
      waiters.clear()
    },
  }
}
