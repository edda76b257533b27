// The pointer in the DHT: stored under a key by whoever has it, found by whoever knows its public half, and read strictly.
import { generateKeyPairSync, sign } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import type { MutableItem } from '@updraft/core/swarm/announce/distributed-table'
import { POINTER_SALT, parsePointer, pointerValueOf, signedBytesOf } from '@updraft/core/swarm/news/pointer'
import type { Swarm } from '@updraft/core/swarm/swarm'
import { openSwarm } from '@updraft/core/swarm/webtorrent-swarm'
import { type DhtNodes, openDhtNodes } from '../../support/dht-nodes.ts'

const TOPIC = 'ab'.repeat(20)
const POINTER = { topic: TOPIC, timestamp: 7, addresses: ['192.0.2.1:6881', '192.0.2.2:80'] }

let nodes: DhtNodes
let putter: Swarm
let getter: Swarm

const open = () =>
  openSwarm({ port: 0, allowLoopback: true, dht: true, dhtBootstrap: [nodes.bootstrap], localDiscovery: false })

beforeAll(async () => {
  nodes = await openDhtNodes()
  putter = await open()
  getter = await open()
})

afterAll(async () => {
  await putter[Symbol.asyncDispose]()
  await getter[Symbol.asyncDispose]()
  await nodes[Symbol.asyncDispose]()
})

const key = generateKeyPairSync('ed25519')
const publicKey = Buffer.from(key.publicKey.export({ format: 'jwk' }).x ?? '', 'base64url')

const itemOf = (seq: number, timestamp: number): MutableItem => {
  const value = pointerValueOf({ ...POINTER, timestamp })
  const signature = sign(null, signedBytesOf(value, seq), key.privateKey)
  return { publicKey, salt: POINTER_SALT, seq, value, signature }
}

test('what one machine stores under its key, another finds; the higher number is the newer', async () => {
  expect(await putter.table?.put(itemOf(1, 7))).toBeGreaterThan(0)
  const found = await getter.table?.get(publicKey, POINTER_SALT)
  expect(parsePointer(found?.value)).toEqual(POINTER)
  await putter.table?.put(itemOf(2, 8))
  const newer = await getter.table?.get(publicKey, POINTER_SALT)
  expect(newer?.seq).toBe(2)
  expect(parsePointer(newer?.value).timestamp).toBe(8)
}, 60_000)

test('whoever found it keeps it stored, without the key', async () => {
  const found = await getter.table?.get(publicKey, POINTER_SALT)
  expect(found).toBeDefined()
  if (found !== undefined) expect(await getter.table?.put(found)).toBeGreaterThan(0)
}, 60_000)

test('what the key did not sign is stored nowhere and found nowhere', async () => {
  const { signature } = itemOf(9, 9)
  const forged = { ...itemOf(10, 10), signature }
  await putter.table?.put(forged)
  expect((await getter.table?.get(publicKey, POINTER_SALT))?.seq).toBeLessThan(10)
}, 60_000)

test('a machine that says it is under an infohash is found there', async () => {
  putter.table?.announce(TOPIC)
  let found: readonly string[] = []
  while (found.length === 0) found = (await getter.table?.lookup(TOPIC)) ?? []
  expect(found).toEqual([`127.0.0.1:${putter.port}`])
}, 60_000)

test.each([
  ['nothing', undefined],
  ['text', 'x'],
  ['no infohash', { ...pointerValueOf(POINTER), ih: Buffer.alloc(19) }],
  ['half an address', { ...pointerValueOf(POINTER), p: Buffer.alloc(7) }],
  ['too many addresses', { ...pointerValueOf(POINTER), p: Buffer.alloc(6 * 9, 1) }],
  ['a version that is none', { ...pointerValueOf(POINTER), ts: -1 }],
  ['a version too large', { ...pointerValueOf(POINTER), ts: 2 ** 60 }],
])('refuses %s as a pointer', (_, value) => {
  expect(() => parsePointer(value)).toThrow(SyntaxError)
})
