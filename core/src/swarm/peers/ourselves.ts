// The endpoints at which this very agent answers. Trackers and other peers name it to itself, in each swarm that it is in and each time
// that they are asked; it learns that it called itself by the peer id, once for all of its torrents.

export interface Ourselves {
  isOurs(endpoint: string): boolean
  /** The peer that answers there has our own peer id. */
  note(endpoint: string): void
}

/** A machine gets another address, and its old one goes to another: then that one is called an hour later. */
const REMEMBERED_MS = 3_600_000
/** As many addresses as a machine has in all its networks, and no memory for a peer that claims to be us at each of its own. */
const ENDPOINTS_MAX = 64

export const rememberOurselves = (now: () => number): Ourselves => {
  const until = new Map<string, number>()
  return {
    isOurs: (endpoint) => (until.get(endpoint) ?? 0) > now(),
    note: (endpoint) => {
      until.delete(endpoint)
      until.set(endpoint, now() + REMEMBERED_MS)
      const [oldest] = until.keys()
      if (until.size > ENDPOINTS_MAX && oldest !== undefined) until.delete(oldest)
    },
  }
}
