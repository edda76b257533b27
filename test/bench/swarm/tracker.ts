// The lab's tracker (BEP 3, compact answers of BEP 23): the same for all contestants. Names everybody who announced, and the
// addresses of machines that do not exist. `--only-dead` names only those.
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'
import { formatCompactPeer } from './compact-peers.ts'

const { values } = parseArgs({
  options: {
    host: { type: 'string', default: '' },
    port: { type: 'string', default: '' },
    dead: { type: 'string', multiple: true, default: [] },
    'only-dead': { type: 'boolean', default: false },
  },
})

/** As the origin's own tracker in a small swarm. */
const INTERVAL_SECONDS = 30
const DEAD_PORT = 6_881

const dead = values.dead.map((host) => formatCompactPeer({ host, port: DEAD_PORT }))
const peers = new Map<string, Buffer>()

const server = createServer((request, response) => {
  const query = new URL(request.url ?? '/', 'http://tracker').searchParams
  const address = request.socket.remoteAddress ?? ''
  const peer = `${address} ${query.get('port')}`
  if (query.get('event') === 'stopped') peers.delete(peer)
  else if (!values['only-dead']) peers.set(peer, formatCompactPeer({ host: address, port: Number(query.get('port')) }))
  const others = [...peers].filter(([other]) => other !== peer).map(([, bytes]) => bytes)
  const named = Buffer.concat([...others, ...dead])
  response.end(
    Buffer.concat([Buffer.from(`d8:intervali${INTERVAL_SECONDS}e5:peers${named.length}:`), named, Buffer.from('e')]),
  )
})
server.listen(Number(values.port), values.host, () => process.stdout.write('{"ready":true}\n'))
process.stdin.on('end', () => process.exit())
process.stdin.resume()
