// Whose bytes come over no uplink.
import { expect, test } from '@jest/globals'
import { createNearness, type Interfaces, parseNetwork } from '@updraft/core/swarm/peers/nearness'

const interfacesOf =
  (...cidrs: readonly string[]): Interfaces =>
  () => ({
    lo: [{ cidr: '127.0.0.1/8', internal: true }],
    eth0: cidrs.map((cidr) => ({ cidr, internal: false })),
  })
const nearnessOf = (networks: readonly string[], ...cidrs: readonly string[]) =>
  createNearness({ networks, interfaces: interfacesOf(...cidrs), now: () => 0 })

test.each([
  ['in the network of an interface', '192.168.7.20', true],
  ['as a dual-stack socket writes it', '::ffff:192.168.7.20', true],
  ['in another network of the same private range', '192.168.8.20', false],
  ['in the /64 of an interface', '2001:db8::20', true],
  ['in another /64', '2001:db8:0:1::20', false],
  ['link-local', '169.254.3.4', true],
  ['link-local, with a zone', 'fe80::1%eth0', true],
  ['this machine', '127.0.0.1', false],
  ['elsewhere', '203.0.113.9', false],
  ['a name', 'neighbour.example', false],
])('%s: %s', (_where, address, isNear) => {
  expect(nearnessOf([], '192.168.7.2/24', '2001:db8::2/64').isNear(address)).toBe(isNear)
})

test('a network that is no single link says nothing about its members', () => {
  const nearness = nearnessOf([], '10.1.2.3/8', '100.64.0.7/32')
  expect(['10.9.9.9', '100.64.0.7'].map((address) => nearness.isNear(address))).toEqual([false, false])
})

test('what the owner calls near is near, loopback too', () => {
  const nearness = nearnessOf(['10.0.0.0/8', '127.0.0.2/32'])
  expect(['10.9.9.9', '127.0.0.2', '127.0.0.3'].map((address) => nearness.isNear(address))).toEqual([true, true, false])
})

test('who was heard by local discovery is near for a while, this machine never', () => {
  let time = 0
  const nearness = createNearness({ interfaces: interfacesOf(), now: () => time })
  nearness.heard('203.0.113.9')
  nearness.heard('127.0.0.1')
  expect(['203.0.113.9', '127.0.0.1'].map((address) => nearness.isNear(address))).toEqual([true, false])
  time = 16 * 60_000
  expect(nearness.isNear('203.0.113.9')).toBe(false)
})

test('a machine that moves has other neighbours', () => {
  let time = 0
  let cidr = '192.168.7.2/24'
  const nearness = createNearness({ interfaces: () => interfacesOf(cidr)(), now: () => time })
  expect(nearness.isNear('192.168.7.20')).toBe(true)
  cidr = '172.20.1.2/24'
  time = 60_000
  expect(['192.168.7.20', '172.20.1.20'].map((address) => nearness.isNear(address))).toEqual([false, true])
})

test.each(['10.0.0.0', '10.0.0.0/33', '::/129', '10.0.0.0/-1', '10.0.0.0/8/8', 'here/8', ''])(
  '%j is no network',
  (text) => {
    expect(parseNetwork(text)).toBeUndefined()
  },
)
