// What an agent that has come to rest does: it gives back the memory that its work took. V8 collects garbage when it runs out of
// room, and one that rests never does. With 100 shared bundles 98 MiB before and 90 after, with 1,000 138 and 125; one
// collection takes 20 to 30 ms (`npm run bench:agent`).
import { performance } from 'node:perf_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** How long the event loop was busy during one look at it. */
export interface Look {
  readonly activeMs: number
  readonly elapsedMs: number
}

/**
 * Decides after each look whether to collect: once the agent is calm, if enough was done since the last time that there is
 * something to give back.
 */
export const restRule = (): ((look: Look) => boolean) => {
  let workMs = Number.POSITIVE_INFINITY // The start itself.
  return ({ activeMs, elapsedMs }) => {
    workMs += activeMs
    if (activeMs > CALM_SHARE * elapsedMs || workMs < WORTH_MS) return false
    workMs = 0
    return true
  }
}

/** An idle agent with 1,000 bundles is at a fifth of this. */
const CALM_SHARE = 0.02
/** About what 4 MiB of garbage take to make. */
const WORTH_MS = 300

/** Looks every few seconds until it is disposed, and keeps no process alive. */
export const givingMemoryBack = (collect: () => void = collector(), everyMs: number = LOOK_EVERY_MS): Disposable => {
  const isDue = restRule()
  let before = performance.eventLoopUtilization()
  const timer = setInterval(() => {
    const now = performance.eventLoopUtilization()
    const { active, idle } = performance.eventLoopUtilization(now, before)
    before = now
    if (isDue({ activeMs: active, elapsedMs: active + idle })) collect()
  }, everyMs)
  timer.unref()
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

const LOOK_EVERY_MS = 5_000

/** Node hands out V8's collector with a flag only, and to new contexts once the program runs. */
const collector = (): (() => void) => {
  let collect = globalThis.gc as (() => void) | undefined
  return () => {
    if (collect === undefined) {
      setFlagsFromString('--expose-gc')
      collect = runInNewContext('gc') as () => void
      setFlagsFromString('--no-expose-gc')
    }
    collect()
  }
}
