// When to look for updates: each product by itself, one look at a time, on an interval with jitter, sooner after a failure
// and then with back-off, or when something is due. Knows nothing of what a look does.
import { isDeepStrictEqual } from 'node:util'
import { UpdateError } from '@updraft/core/errors'
import type { Product } from '@updraft/core/names'
import type { ProductSettings } from './settings.ts'

export interface ScheduleOptions {
  /** One look; fails with why it could not be finished. The signal ends it early. */
  readonly look: (product: ProductSettings, signal: AbortSignal) => Promise<void>
  /** The looks at the product have come to rest; `error` is why the last one failed. */
  readonly onIdle: (product: ProductSettings, error: unknown) => void
  /** False looks once at each product and never again by itself. */
  readonly repeat: boolean
  /** When something was found that time alone will change: then the next look comes earlier. */
  readonly recheckAt?: (product: Product) => Date | undefined
  readonly now: () => Date
  /** From 0 to 1. */
  readonly random: () => number
}

export interface Schedule extends AsyncDisposable {
  /** New products are looked at at once, changed ones anew, others when their time comes; removed ones are let go. */
  apply(products: readonly ProductSettings[], intervalSeconds: number): void
  /** Ends every look, waits until each has ended, and forgets all products: until the next `apply` nothing happens. */
  pause(): Promise<void>
  /** Looks now. A look under way is followed by another one, so what was published before this call is always seen. */
  check(product?: Product): void
  /**
   * Ends the look at the product that is under way, does `work` while none goes on, and looks again.
   *
   * Errors: those of `work`; ABORTED if the product is let go before its turn.
   */
  between<T>(product: Product, work: () => Promise<T>): Promise<T>
  /**
   * The wall clock is not what it was, so what was waited for may be over, or far ahead: looks within seconds at everything
   * that is not looked at already.
   */
  clockJumped(): void
  /** Undefined while a look is under way. */
  nextCheckAt(product: Product): Date | undefined
  /** Resolves when no look is under way. */
  whenIdle(): Promise<void>
}

/** Nothing happens before the first `apply`. Disposing ends every look and waits until each has ended. */
export const startSchedule = ({ look, onIdle, repeat, recheckAt, now, random }: ScheduleOptions): Schedule => {
  const entries = new Map<Product, Entry>()
  const running = new Map<Product, Promise<void>>()
  let intervalSeconds = Number.POSITIVE_INFINITY

  const lookUntilRest = async (entry: Entry): Promise<void> => {
    let error: unknown
    while (!entry.removed) {
      while (entry.errands.length > 0) await entry.errands.shift()?.run()
      if (entry.removed) break
      entry.again = false
      entry.current = new AbortController()
      error = await look(entry.product, entry.current.signal).then(
        () => undefined,
        (reason: unknown) => reason,
      )
      // A look that was broken off says nothing about the source.
      if (!entry.current.signal.aborted) entry.failures = error === undefined ? 0 : entry.failures + 1
      if (!entry.again) break
    }
    entry.current = undefined
    entry.busy = false
    if (entry.removed) {
      for (const errand of entry.errands.splice(0)) errand.drop()
      return
    }
    onIdle(entry.product, error)
    arm(entry)
  }

  const start = (entry: Entry): void => {
    clearTimeout(entry.timer)
    entry.nextCheckAt = undefined
    if (entry.busy) {
      entry.again = true
      return
    }
    entry.busy = true
    const { name } = entry.product
    // A product that was removed and came back waits until its last look from before has really ended.
    const before = running.get(name)
    const ended = (before === undefined ? lookUntilRest(entry) : before.then(() => lookUntilRest(entry))).finally(
      () => {
        if (running.get(name) === ended) running.delete(name)
      },
    )
    running.set(name, ended)
  }

  const arm = (entry: Entry): void => {
    if (!repeat) return
    const regularMs = delaySeconds({ intervalSeconds, failures: entry.failures, random: random() }) * 1_000
    const recheck = recheckAt?.(entry.product.name)
    const delayMs =
      recheck === undefined
        ? regularMs
        : Math.min(regularMs, recheckDelayMs({ recheck, now: now(), intervalSeconds, random: random() }))
    startIn(entry, delayMs)
  }

  const startIn = (entry: Entry, delayMs: number): void => {
    clearTimeout(entry.timer)
    entry.nextCheckAt = new Date(now().getTime() + delayMs)
    entry.timer = setTimeout(start, delayMs, entry)
  }

  const remove = (entry: Entry): void => {
    entry.removed = true
    clearTimeout(entry.timer)
    entry.current?.abort()
    entries.delete(entry.product.name)
  }

  const pause = async (): Promise<void> => {
    for (const entry of entries.values()) remove(entry)
    await Promise.all(running.values())
  }

  const between = <T>(product: Product, work: () => Promise<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      const drop = () => reject(new UpdateError('ABORTED', `the agent lets go of ${product} at this moment`))
      const entry = entries.get(product)
      if (entry === undefined) return drop()
      entry.errands.push({ run: () => work().then(resolve, reject), drop })
      entry.current?.abort()
      start(entry)
    })

  return {
    pause,
    between,
    apply: (products, newIntervalSeconds) => {
      const newInterval = intervalSeconds !== newIntervalSeconds
      intervalSeconds = newIntervalSeconds
      const wanted = new Set(products.map(({ name }) => name))
      for (const entry of entries.values()) if (!wanted.has(entry.product.name)) remove(entry)
      for (const product of products) {
        const known = entries.get(product.name)
        if (known === undefined) {
          const entry: Entry = { product, busy: false, again: false, errands: [], failures: 0, removed: false }
          entries.set(product.name, entry)
          start(entry)
        } else if (!isDeepStrictEqual(known.product, product)) {
          known.product = product
          known.failures = 0
          known.current?.abort()
          start(known)
        } else if (newInterval && !known.busy) arm(known)
      }
    },
    check: (product) => {
      for (const entry of entries.values()) if (product === undefined || entry.product.name === product) start(entry)
    },
    clockJumped: () => {
      if (!repeat) return
      for (const entry of entries.values()) if (!entry.busy) startIn(entry, JUMP_SPREAD_MS * random())
    },
    nextCheckAt: (product) => entries.get(product)?.nextCheckAt,
    whenIdle: async () => {
      while (running.size > 0) await Promise.all(running.values())
    },
    [Symbol.asyncDispose]: pause,
  }
}

interface Entry {
  product: ProductSettings
  /** A look is under way, or about to begin. */
  busy: boolean
  /** Another look is to follow. */
  again: boolean
  /** What is to be done before the next look. Never fails: whoever asked for it is told. */
  readonly errands: { readonly run: () => Promise<void>; readonly drop: () => void }[]
  /** Breaks off the look under way. */
  current?: AbortController | undefined
  /** Looks that failed since the last one that did not. */
  failures: number
  removed: boolean
  timer?: NodeJS.Timeout
  nextCheckAt?: Date | undefined
}

export interface Delay {
  readonly intervalSeconds: number
  readonly failures: number
  /** From 0 to 1. */
  readonly random: number
}

/**
 * How long to wait for the next look: the interval; after a failure a minute, doubled with each further one up to the
 * interval. A tenth more or less, so that machines that started together do not come back together.
 */
export const delaySeconds = ({ intervalSeconds, failures, random }: Delay): number => {
  const retry = Math.min(intervalSeconds, FIRST_RETRY_SECONDS) * 2 ** Math.min(failures - 1, 16)
  const delay = failures === 0 ? intervalSeconds : Math.min(retry, Math.max(intervalSeconds, LAST_RETRY_SECONDS))
  return delay * (0.9 + 0.2 * random)
}

interface Recheck {
  readonly recheck: Date
  readonly now: Date
  readonly intervalSeconds: number
  /** From 0 to 1. */
  readonly random: number
}

/**
 * Never before the time, and up to a tenth of the interval after it: all machines of a rollout have the same appointment.
 */
export const recheckDelayMs = ({ recheck, now, intervalSeconds, random }: Recheck): number =>
  Math.max(0, recheck.getTime() - now.getTime()) +
  Math.min(LATEST_RECHECK_SECONDS, intervalSeconds * 0.1) * random * 1_000

/** A window may be short. */
const LATEST_RECHECK_SECONDS = 600

/** Machines that wake together do not come together; shorter than two looks at the clock, so that none waits for ever. */
const JUMP_SPREAD_MS = 20_000

const FIRST_RETRY_SECONDS = 60
/** With a very short interval the back-off still has to get somewhere. */
const LAST_RETRY_SECONDS = 900
