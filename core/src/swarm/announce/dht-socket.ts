// The socket of the distributed hash table (BEP 5): lets through only what can be read, and no fault of what reads it.
//
// k-rpc-socket gives every datagram to the package `bencode`, which never comes back from a string of negative length, and
// bittorrent-dht throws at queries without arguments; both end or hang the process (no upstream issue found). Can go when both
// are mended.
import { createSocket, type Socket } from 'node:dgram'
import { beginsWithBencode } from '../bencode.ts'

/** A datagram that cannot be read, or that its reader fails over, is lost, as datagrams may be. */
export const dhtSocket = (): Socket => {
  const socket = createSocket('udp4')
  const emit = socket.emit.bind(socket) as (event: string, ...values: readonly unknown[]) => boolean
  socket.emit = (event: string, ...values: readonly unknown[]): boolean => {
    if (event !== 'message') return emit(event, ...values)
    const [bytes] = values
    try {
      return bytes instanceof Uint8Array && beginsWithBencode(bytes) && emit(event, ...values)
    } catch {
      return false // A stranger's datagram must not end the process.
    }
  }
  return socket
}
