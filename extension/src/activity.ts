// What has moved, second by second, made of what the agent says of its transfers: rates from counters that may begin again at
// any time. Pure; the dashboard asks, and draws.
import type { Transfer } from '@updraft/core/control/api'

/** One moment; rates in bytes per second since the one before. */
export interface Sample {
  /** Unix time in seconds, as chart libraries take it. */
  readonly at: number
  readonly peers: number
  readonly origin: number
  readonly upload: number
}

/** Sums over everything in the swarm at one moment, by its name, to be compared with the next moment. */
export interface Reading {
  readonly atMs: number
  readonly transfers: ReadonlyMap<string, Transfer>
}

/** Ten minutes at one a second. */
export const SAMPLES_MAX = 600

export const readingOf = (transfers: readonly Transfer[], atMs: number): Reading => ({
  atMs,
  transfers: new Map(transfers.map((transfer) => [transfer.name, transfer])),
})

/** Undefined for two readings of the same moment, or of a clock that was set back. */
export const sampleBetween = (before: Reading, after: Reading): Sample | undefined => {
  const seconds = (after.atMs - before.atMs) / 1_000
  if (!(seconds > 0)) return undefined
  const rate = (of: (transfer: Transfer) => number): number => {
    let grown = 0
    for (const [name, transfer] of after.transfers) {
      const old = before.transfers.get(name)
      // What has just joined the swarm has moved nothing between the two; one that began again counts from zero.
      if (old !== undefined) grown += of(transfer) >= of(old) ? of(transfer) - of(old) : of(transfer)
    }
    return grown / seconds
  }
  return {
    at: after.atMs / 1_000,
    peers: rate(({ bytes }) => bytes.peers),
    origin: rate(({ bytes }) => bytes.origin),
    upload: rate(({ uploadedBytes }) => uploadedBytes),
  }
}

export const withSample = (samples: readonly Sample[], sample: Sample): readonly Sample[] =>
  [...samples, sample].slice(-SAMPLES_MAX)

/** Connected peers by what they are, over all transfers. */
export const peersIn = (transfers: readonly Transfer[]): Transfer['peers'] => {
  const sum = (of: (peers: Transfer['peers']) => number) => transfers.reduce((total, { peers }) => total + of(peers), 0)
  return {
    origin: sum(({ origin }) => origin),
    complete: sum(({ complete }) => complete),
    partial: sum(({ partial }) => partial),
    webSeeds: sum(({ webSeeds }) => webSeeds),
  }
}
