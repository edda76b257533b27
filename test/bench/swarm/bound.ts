// How fast a scenario can be at all. Pure.
import type { Scenario } from './options.ts'

/**
 * Seconds until the last agent can have everything, if bytes were a fluid: no headers, no pieces, no way there and back.
 *
 * The origin (with the seeds) must send everything once, the slowest agent must receive everything once, and all that is
 * received must have been sent by somebody. A LAN behind one uplink is in this one agent as well: what its members have
 * in common comes through the uplink once. Who starts late must still receive everything.
 *
 * Source: Kumar and Ross, Peer-Assisted File Distribution: The Minimum Distribution Time (2006), theorem 1.
 */
export const fluidBoundSeconds = (scenario: Scenario): number => {
  const { sizeBytes, origin, agents, link, seeds, groups, groupLink, httpOnly, late, lateAfterSeconds } = scenario
  const bits = sizeBytes * 8
  const sources = origin.up + seeds * link.up
  const agentsUp = httpOnly ? 0 : agents * link.up
  const bounds = [bits / sources, bits / link.down, (agents * bits) / (sources + agentsUp)]
  if (groups > 0) {
    const groupsUp = httpOnly ? 0 : groups * groupLink.up
    const copies = httpOnly ? agents : groups
    bounds.push((copies / groups) * (bits / groupLink.down), (copies * bits) / (sources + groupsUp))
  }
  if (late > 0) bounds.push(lateAfterSeconds + bits / link.down)
  return Math.max(...bounds)
}

/**
 * What the headers of Ethernet, IPv4 and TCP with timestamps add to a full segment. The links count them, the bound does
 * not, so no contestant can come closer to it than this.
 */
export const HEADER_RATIO = 1514 / 1448
