// The door of the UDP tracker: who has not shown that it receives what is sent to its address is not heard.
import { expect, test } from '@jest/globals'
import { judgeUdpPacket } from '../../publisher/src/origin/udp-guard.ts'

const secret = Buffer.alloc(32, 1)
const NOW = 1_700_000_000_000
const MINUTE = 60_000
const CONNECT = Buffer.from('00000417271019800000000001020304', 'hex')
const connectionId = (address = '10.0.0.1', at = NOW): Buffer => {
  const verdict = judgeUdpPacket(CONNECT, address, at, secret)
  if (verdict.kind !== 'answer') throw new Error(verdict.kind)
  return verdict.bytes.subarray(8)
}
const announce = (id: Buffer): Buffer => {
  const packet = Buffer.alloc(98)
  id.copy(packet)
  packet.writeUInt32BE(1, 8)
  packet.writeUInt32BE(0xcb007109, 84)
  return packet
}

test('a first packet is answered with a connection id, and nothing is longer than what was asked', () => {
  const verdict = judgeUdpPacket(CONNECT, '10.0.0.1', NOW, secret)
  if (verdict.kind !== 'answer') throw new Error(verdict.kind)
  expect(verdict.bytes).toHaveLength(CONNECT.length)
  expect(verdict.bytes.subarray(0, 8).toString('hex')).toBe('0000000001020304')
})

test.each<[string, Buffer, string, number, string]>([
  ['from the same address', connectionId(), '10.0.0.1', NOW, 'pass'],
  ['two minutes later', connectionId(), '10.0.0.1', NOW + 2 * MINUTE, 'pass'],
  ['three minutes later', connectionId(), '10.0.0.1', NOW + 3 * MINUTE, 'drop'],
  ['from another address', connectionId(), '10.0.0.2', NOW, 'drop'],
  ['with the id that everyone knows', Buffer.from('0000041727101980', 'hex'), '10.0.0.1', NOW, 'drop'],
  ['with an id of zeros', Buffer.alloc(8), '10.0.0.1', NOW, 'drop'],
])('an announce %s', (_, id, address, at, kind) => {
  expect(judgeUdpPacket(announce(id), address, at, secret).kind).toBe(kind)
})

test('an announce goes on without the address that it claims', () => {
  const verdict = judgeUdpPacket(announce(connectionId()), '10.0.0.1', NOW, secret)
  if (verdict.kind !== 'pass') throw new Error(verdict.kind)
  expect(verdict.bytes.readUInt32BE(84)).toBe(0)
})

test('short and foreign packets are dropped', () => {
  const foreign = Buffer.from(CONNECT)
  foreign[3] = 9
  for (const packet of [Buffer.alloc(0), Buffer.alloc(15), foreign]) {
    expect(judgeUdpPacket(packet, '10.0.0.1', NOW, secret).kind).toBe('drop')
  }
})
