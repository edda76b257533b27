// A distributed hash table of its own on loopback: nodes that know each other and nobody else.
import { verifyItem } from '@updraft/core/swarm/announce/distributed-table'
import { Client } from 'bittorrent-dht'

export interface DhtNodes extends AsyncDisposable {
  /** `host:port` of the node to enter by. */
  readonly bootstrap: string
}

export const openDhtNodes = async (count = 3): Promise<DhtNodes> => {
  const nodes: Client[] = []
  let bootstrap: string | undefined
  for (let n = 0; n < count; n += 1) {
    const node = new Client({ bootstrap: bootstrap === undefined ? false : [bootstrap], verify: verifyItem })
    await new Promise<void>((listening) => node.listen(0, '127.0.0.1', listening))
    nodes.push(node)
    bootstrap ??= `127.0.0.1:${node.address().port}`
  }
  return {
    bootstrap: bootstrap ?? '',
    [Symbol.asyncDispose]: async () => {
      await Promise.all(nodes.map((node) => new Promise<void>((gone) => node.destroy(gone))))
    },
  }
}
