// Notices that the wall clock went on otherwise than time did: it was set, or the machine slept. Timers count neither, so what
// waits for a time of day has to be asked again. Changes nothing.
export interface ClockOptions {
  /** The clock on the wall was put forward, or back if negative. */
  readonly onJump: (jumpMs: number) => void
  readonly wall: () => Date
  readonly intervalMs?: number
}

/** Looks twice a minute, which costs nothing that could be measured, until it is disposed. */
export const watchClock = ({ onJump, wall, intervalMs = 30_000 }: ClockOptions): Disposable => {
  const read = (): Reading => ({ wallMs: wall().getTime(), steadyMs: performance.now() })
  let last = read()
  const timer = setInterval(() => {
    const now = read()
    const jumpMs = jumpBetween(last, now)
    last = now
    if (jumpMs !== 0) onJump(jumpMs)
  }, intervalMs)
  return { [Symbol.dispose]: () => clearInterval(timer) }
}

export interface Reading {
  readonly wallMs: number
  /** Goes evenly, whatever happens to the wall clock, and stands while the machine sleeps. */
  readonly steadyMs: number
}

/** How far the wall clock has jumped between two readings; 0 if it only drifts. Pure. */
export const jumpBetween = (before: Reading, after: Reading): number => {
  const jumpMs = after.wallMs - before.wallMs - (after.steadyMs - before.steadyMs)
  return Math.abs(jumpMs) < JUMP_MS ? 0 : jumpMs
}

/** NTP slews smaller differences; and no window, hold or age is kept to the second. */
const JUMP_MS = 10_000
