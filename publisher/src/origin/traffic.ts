// Bytes over time: what this origin sent, and what machines say that they got. The difference came from other machines. The totals
// count from the start of the process; of the samples, one a minute, a day is kept, and remembered-traffic.ts hands them on.

/** Bytes from one sample to the next. */
export interface TrafficSample {
  /** When it ended, ISO 8601. */
  readonly at: string
  readonly originBytes: number
  readonly peerBytes: number
}

export interface TrafficTotals {
  readonly originBytes: number
  readonly peerBytes: number
}

export interface Traffic extends Disposable {
  /** What the web seed sent. */
  sent(bytes: number): void
  /**
   * What a peer says that it has received of a torrent of `totalBytes` so far. Believed up to that length, because it is only for a
   * chart and anybody can say anything.
   */
  announced(infoHash: string, peerId: string, downloadedBytes: number, totalBytes: number): void
  totals(): TrafficTotals
  /** The oldest first; the last one is still going on. */
  samples(): readonly TrafficSample[]
}

export interface TrafficOptions {
  /** All that the seeder has sent so far. */
  readonly seededBytes: () => number
  readonly now: () => Date
  /** Samples of earlier runs. */
  readonly earlier?: readonly TrafficSample[]
  readonly everyMs?: number
  readonly peersMax?: number
}

const EVERY_MS = 60_000
export const SAMPLES_MAX = 24 * 60
/** As many as the tracker knows at most would take 100 bytes each; who is not among them is not counted. */
const PEERS_MAX = 20_000

export const openTraffic = ({
  seededBytes,
  now,
  earlier = [],
  everyMs = EVERY_MS,
  peersMax = PEERS_MAX,
}: TrafficOptions): Traffic => {
  const peers = new Map<string, number>()
  let sentBytes = 0
  let announcedBytes = 0
  let before: TrafficTotals = { originBytes: 0, peerBytes: 0 }
  const samples = earlier.slice(-SAMPLES_MAX)

  const totals = (): TrafficTotals => {
    const originBytes = sentBytes + seededBytes()
    return { originBytes, peerBytes: Math.max(before.peerBytes, announcedBytes - originBytes) }
  }
  const sample = (): TrafficSample => {
    const { originBytes, peerBytes } = totals()
    return {
      at: now().toISOString(),
      originBytes: originBytes - before.originBytes,
      peerBytes: peerBytes - before.peerBytes,
    }
  }
  const timer = setInterval(() => {
    samples.push(sample())
    if (samples.length > SAMPLES_MAX) samples.shift()
    before = totals()
  }, everyMs)
  timer.unref()

  return {
    sent: (bytes) => {
      sentBytes += bytes
    },
    announced: (infoHash, peerId, downloadedBytes, totalBytes) => {
      if (!Number.isFinite(downloadedBytes) || downloadedBytes < 0) return
      const key = `${infoHash} ${peerId}`
      const known = peers.get(key)
      const believed = Math.min(downloadedBytes, totalBytes)
      if (known !== undefined && believed <= known) return
      peers.delete(key) // So that who announces last is forgotten last.
      peers.set(key, believed)
      announcedBytes += believed - (known ?? 0)
      const [oldest] = peers.keys()
      if (peers.size > peersMax && oldest !== undefined) peers.delete(oldest)
    },
    totals,
    samples: () => [...samples, sample()],
    [Symbol.dispose]: () => clearInterval(timer),
  }
}
