// Whom to send to while more peers want something than there are slots (BEP 3, choking). Pure: it only chooses.
//
// In a fleet of one owner nobody has to be paid back. A slot is worth most where the data travels on fastest: at whoever
// takes it fastest, so the fleet as a whole finishes soonest. Two slots go around by chance, so that nobody starves and
// newcomers get their first pieces.

export interface Candidate<Peer> {
  readonly peer: Peer
  readonly bytesPerSecond: number
  readonly unchoked: boolean
}

/** More peers at once split a slow uplink into trickles; fewer leave peers of a fast one waiting. */
export const UPLOAD_SLOTS = 20
const SLOTS_BY_CHANCE = 2

export const chooseUnchoked = <Peer>(
  interested: readonly Candidate<Peer>[],
  random: () => number,
  slots = UPLOAD_SLOTS,
): ReadonlySet<Peer> => {
  if (interested.length <= slots) return new Set(interested.map(({ peer }) => peer))
  const ranked = interested
    .map((candidate) => ({ ...candidate, chance: random() }))
    .sort(
      (a, b) => b.bytesPerSecond - a.bytesPerSecond || Number(b.unchoked) - Number(a.unchoked) || a.chance - b.chance,
    )
  const earned = ranked.slice(0, slots - SLOTS_BY_CHANCE)
  const lucky = ranked
    .slice(slots - SLOTS_BY_CHANCE)
    .sort((a, b) => a.chance - b.chance)
    .slice(0, SLOTS_BY_CHANCE)
  return new Set([...earned, ...lucky].map(({ peer }) => peer))
}
