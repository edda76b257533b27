// The settings of `network`: how this machine takes part in the swarm.
import { UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import * as z from 'zod'
import { type Manners, mannersOf, mannersShape } from './manners.ts'
import { named } from './named.ts'

export interface NetworkSettings {
  /** TCP port for incoming peers; 0 takes any free one. */
  readonly port: number
  readonly allowLoopback: boolean
  readonly dht: boolean
  /** `host:port` of nodes to enter the DHT by; undefined takes the public ones. */
  readonly dhtBootstrap: readonly string[] | undefined
  readonly localDiscovery: boolean
  /** Tells other machines of the same source what is new, and asks them. */
  readonly peerMetadata: boolean
  /** Networks that count as the LAN beside those of the machine's interfaces, as `address/length`. */
  readonly lan: readonly string[]
  /** How long peers come first, before web seeds join in. */
  readonly webSeedDelaySeconds: number
  /** How long a download may take; undefined is not said. */
  readonly deadlineSeconds: number | undefined
  /** What may change while the swarm stays open. */
  readonly manners: Manners
  /** Also share with browsers, by trackers over WebSocket. */
  readonly webRtc: boolean
  /** `stun:HOST:PORT` */
  readonly stunServers: readonly string[]
  /** How long a download waits for anything useful before it is left to the next look. */
  readonly stallTimeoutSeconds: number
  /** `host:port` of peers known in advance. */
  readonly peers: readonly string[]
}

const parsePeer = (text: string): string => {
  const port = Number(/^(?:[^\s:[\]]+|\[[0-9a-fA-F:]+\]):(\d{1,5})$/.exec(text)?.[1])
  if (!(port >= 1 && port <= 65_535)) {
    throw new UpdateError('SETTINGS_INVALID', `peer ${JSON.stringify(text)} is not an address`, {
      hint: 'use HOST:PORT, such as 192.0.2.7:6881 or [2001:db8::7]:6881',
    })
  }
  return text
}

export const networkSchema = z
  .strictObject({
    port: z.int().min(0).max(65_535).default(0).describe('TCP port for incoming peers; 0 takes any free one'),
    allowLoopback: z.boolean().default(false).describe('Also talk to peers on this machine, for trying things out'),
    dht: z.boolean().default(false).describe('Find peers through the public distributed hash table'),
    dhtBootstrap: z
      .array(named(parsePeer))
      .max(16)
      .optional()
      .describe('Nodes to enter the distributed hash table by, as HOST:PORT; else the public ones'),
    peerMetadata: z
      .boolean()
      .default(true)
      .describe('Tell other machines of the same source what is new, and ask them when no mirror answers'),
    localDiscovery: z.boolean().default(false).describe('Find peers on the local network by multicast'),
    webRtc: z
      .boolean()
      .default(false)
      .describe('Also share with peers that run in browsers, which meet through trackers over WebSocket'),
    stunServers: z
      .array(z.string().regex(/^stun:[^\s/?#]+:\d{1,5}$/, 'is not an address such as stun:stun.example.com:3478'))
      .max(4)
      .default([])
      .describe('Who tells this machine its address outside of its own network, for WebRTC; else nobody is asked'),
    ...mannersShape,
    stallTimeoutSeconds: z
      .int()
      .min(1)
      .max(3_600)
      .default(LIMITS.swarmStallTimeoutMs / 1000)
      .describe('How long a download waits for anything useful before it is left to the next look'),
    peers: z
      .array(named(parsePeer))
      .max(LIMITS.peersPerTorrentMax)
      .default([])
      .describe('Addresses of peers known in advance, as HOST:PORT'),
  })
  .describe('How this machine takes part in the swarm')

export const networkOf = (network: z.output<typeof networkSchema>): NetworkSettings => {
  const { port, allowLoopback, dht, dhtBootstrap, localDiscovery, peerMetadata, stallTimeoutSeconds, peers } = network
  const { lan, webSeedDelaySeconds, deadlineSeconds, webRtc, stunServers } = network
  return {
    ...{ port, allowLoopback, dht, dhtBootstrap, localDiscovery, peerMetadata, stallTimeoutSeconds, peers },
    ...{ lan, webSeedDelaySeconds, deadlineSeconds, webRtc, stunServers, manners: mannersOf(network) },
  }
}
