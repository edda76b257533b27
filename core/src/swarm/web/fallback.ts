// When web seeds join in beside peers, or in the place of them, and why. Pure.

/** Why the origin's web server was asked at all. */
export type FallbackReason = 'no-peers' | 'no-answer' | 'slow-peers' | 'deadline'

export interface FallbackFacts {
  readonly elapsedMs: number
  /** How long peers come first, while there may be some. */
  readonly delayMs: number
  /** Trackers have not answered yet, or somebody is being called. */
  readonly isLookingForPeers: boolean
  readonly connectedPeers: number
  readonly peerBytesPerSecond: number
  readonly missingBytes: number
  /** How long the whole download may take; undefined if nobody has said. */
  readonly deadlineMs: number | undefined
}

/** Time enough for an announce and a connection around the world. Who has not answered by then is most often not there. */
const ANSWER_MS = 500

/** Peers that deliver this much are enough: a hundred MiB take less than two minutes, and the origin sends nothing. */
const PEERS_SUFFICE_BYTES_PER_SECOND = 1024 * 1024

/** Undefined: peers suffice, or are to be given the time to show it. */
export const fallbackReasonOf = (facts: FallbackFacts): FallbackReason | undefined => {
  const { elapsedMs, delayMs, connectedPeers, isLookingForPeers, peerBytesPerSecond, missingBytes, deadlineMs } = facts
  if (connectedPeers === 0) {
    if (!isLookingForPeers) return 'no-peers'
    return elapsedMs < Math.min(ANSWER_MS, delayMs) ? undefined : 'no-answer'
  }
  const leftMs = deadlineMs === undefined ? undefined : deadlineMs - elapsedMs
  if (leftMs !== undefined && leftMs <= delayMs - elapsedMs) return 'deadline' // It would not even wait for them.
  if (elapsedMs < delayMs) return undefined
  if (leftMs === undefined) return peerBytesPerSecond < PEERS_SUFFICE_BYTES_PER_SECOND ? 'slow-peers' : undefined
  return peerBytesPerSecond * Math.max(0, leftMs) < missingBytes * 1000 ? 'deadline' : undefined
}

/** For people, with the values. */
export const fallbackText = (reason: FallbackReason, facts: FallbackFacts): string => {
  const { elapsedMs, connectedPeers, peerBytesPerSecond, missingBytes, deadlineMs = 0 } = facts
  const rate = `${connectedPeers} peers deliver ${Math.round(peerBytesPerSecond / 1024)} KiB/s`
  switch (reason) {
    case 'no-peers':
      return 'web seeds are asked: there are no peers'
    case 'no-answer':
      return `web seeds are asked: no peer has answered after ${(elapsedMs / 1000).toFixed(1)} s`
    case 'slow-peers':
      return `web seeds are asked: ${rate}`
    case 'deadline':
      return `web seeds are asked: ${rate}, too few for ${missingBytes} bytes in the ${Math.round((deadlineMs - elapsedMs) / 1000)} s that are left`
  }
}
