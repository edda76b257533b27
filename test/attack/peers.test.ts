// Attacks by peers on a real agent process.

import type { AddressInfo } from 'node:net'
import { createServer, type Socket } from 'node:net'
import { expect } from '@jest/globals'
import { attackTest } from '../support/attack-row.ts'
import { expectInstalled, openScene } from './scene.ts'

/** A peer that answers the handshake, speaks extensions (BEP 10), and then says `message`. */
const openPeer = async (message: Uint8Array) => {
  let told = 0
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    socket.once('data', (handshake) => {
      const reserved = Buffer.from([0, 0, 0, 0, 0, 0x10, 0, 0])
      const peerId = Buffer.from('-XX0001-abcdefghijkl')
      socket.write(Buffer.concat([handshake.subarray(0, 20), reserved, handshake.subarray(28, 48), peerId, message]))
      told += 1
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    told: () => told,
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise((closed) => server.close(closed))
    },
  }
}

const extended = (body: string): Buffer => {
  const head = Buffer.from([0, 0, 0, 0, 20, 0])
  head.writeUInt32BE(2 + body.length)
  return Buffer.concat([head, Buffer.from(body)])
}

attackTest('poisoned peer', 'an extension message whose decoding would never end', async (saw) => {
  await using peer = await openPeer(extended('d-3:'))
  await using scene = await openScene()
  await scene.victim.configure({}, { peers: [peer.address] })
  expectInstalled(saw(await scene.victim.look()), scene, '1.0.0')
  expect(peer.told()).toBeGreaterThan(0)
})
