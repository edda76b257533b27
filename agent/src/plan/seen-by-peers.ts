// Since when a release is known elsewhere. Pure. A machine that lies must not make a release look older than it is, so no single
// answer counts: only what most of the machines that the owner has named say, those that do not answer counted as not knowing it.
export interface SeenElsewhere {
  /** What the named machines say that answered, in ISO 8601; one time each. */
  readonly times: readonly string[]
  /** How many the owner has named, whether or not they answered. */
  readonly named: number
  /** The signed date of the release: nobody saw it before that. */
  readonly published: string
}

/** With fewer, one or two machines would decide for all. */
export const NAMED_PEERS_MIN = 3

/**
 * The moment by which more than half of the named machines had seen the release; undefined if that many do not say so.
 *
 * To make a release older than it is, more than half of the owner's own choice have to lie together. One that says less than it
 * knows, or nothing, only costs time.
 */
export const seenByPeers = ({ times, named, published }: SeenElsewhere): string | undefined => {
  if (named < NAMED_PEERS_MIN) return undefined
  const majority = Math.floor(named / 2) + 1
  const moments = times.map((time) => Date.parse(time)).filter(Number.isFinite)
  const decisive = moments.sort((a, b) => a - b)[majority - 1]
  return decisive === undefined ? undefined : new Date(Math.max(decisive, Date.parse(published))).toISOString()
}
