// Peers that the machine's owner named. They are called again and again while something is missing: webtorrent gives up on
// an address after four attempts in 21 s, which is right for hints of strangers and wrong for these.
import { type AddressPolicy, type Endpoint, parseEndpoint, resolveAllowed } from './addresses.ts'

export interface StaticPeers {
  /** True once every name has been looked up. */
  readonly isSettled: boolean
  close(): void
}

export interface StaticPeersOptions {
  /** `host:port`; the host may be a name. */
  readonly peers: readonly string[]
  readonly policy: AddressPolicy
  /** May be told the same one again. */
  readonly onPeer: (peer: Endpoint) => void
  readonly onWarning: (message: string) => void
}

const AGAIN_EVERY_MS = 30_000

export const createStaticPeers = ({ peers, policy, onPeer, onWarning }: StaticPeersOptions): StaticPeers => {
  let isSettled = peers.length === 0
  let closed = false

  const call = async (peer: string): Promise<void> => {
    try {
      const endpoint = parseEndpoint(peer)
      if (endpoint === undefined) throw new Error('not of the form host:port')
      const hosts = await resolveAllowed(endpoint.host, policy)
      if (!closed) for (const host of hosts) onPeer({ host, port: endpoint.port })
    } catch (error) {
      if (!closed) onWarning(`peer ${peer}: ${(error as Error).message}`)
    }
  }

  const callAll = async (): Promise<void> => {
    await Promise.all(peers.map(call))
    isSettled = true
  }

  void callAll()
  const timer = setInterval(() => void callAll(), AGAIN_EVERY_MS).unref()
  return {
    get isSettled() {
      return isSettled
    },
    close: () => {
      closed = true
      clearInterval(timer)
    },
  }
}
