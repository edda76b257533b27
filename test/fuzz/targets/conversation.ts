// Raw bytes to a server, as no client would send them.
import { connect, type NetConnectOpts } from 'node:net'

const SILENCE_MS = 200

/** All that comes back, as Latin-1, until the other end has closed or fallen silent. */
export const converse = (to: NetConnectOpts, pieces: Iterable<Uint8Array>): Promise<string> =>
  new Promise((resolve) => {
    const answer: Buffer[] = []
    const socket = connect(to)
    const end = () => {
      socket.destroy()
      resolve(Buffer.concat(answer).toString('latin1'))
    }
    socket.setTimeout(SILENCE_MS, end)
    socket.on('data', (bytes) => answer.push(bytes))
    socket.on('error', end)
    socket.on('close', end)
    for (const piece of pieces) socket.write(piece)
    socket.end()
  })
