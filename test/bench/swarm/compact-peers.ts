// Peers as trackers name them: four bytes of address, two of port (BEP 23).
import type { Endpoint } from '@updraft/core/swarm/peers/addresses'

export const formatCompactPeer = ({ host, port }: Endpoint): Buffer =>
  Buffer.from([...host.split('.').map(Number), port >> 8, port & 255])
