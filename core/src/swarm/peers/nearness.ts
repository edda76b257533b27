// Which addresses are in this machine's own network, where bytes cost nobody anything: the uplink is then not what they come over.
// Only tells; who is preferred for it is decided elsewhere.
import { BlockList, isIP } from 'node:net'
import { networkInterfaces } from 'node:os'
import { isLoopback, plainAddress } from './addresses.ts'

export interface Nearness {
  isNear(address: string): boolean
  /** Local discovery heard it: multicast does not leave a network. */
  heard(address: string): void
}

/** What `os.networkInterfaces` tells, as far as it matters. */
export type Interfaces = () => NodeJS.Dict<readonly { readonly cidr: string | null; readonly internal: boolean }[]>

export interface NearnessOptions {
  /** Networks that count as near beside those of the interfaces, as `address/length`; loopback counts only here. */
  readonly networks?: readonly string[] | undefined
  readonly interfaces?: Interfaces
  readonly now: () => number
}

/** A laptop changes its network, and nobody tells. */
const LOOK_AGAIN_MS = 30_000
/** Local discovery announces every five minutes. */
const HEARD_MS = 15 * 60_000
const HEARD_MAX = 1_000

/** Wider ones are routed networks of a whole company or provider; the narrowest have nobody else in them. */
const PREFIX_V4 = { min: 16, max: 31 }
const PREFIX_V6 = { min: 48, max: 127 }

export const createNearness = ({ networks = [], interfaces = networkInterfaces, now }: NearnessOptions): Nearness => {
  const heardAt = new Map<string, number>()
  let near = new BlockList()
  let lookedAt: number | undefined

  const look = (): void => {
    if (lookedAt !== undefined && now() - lookedAt < LOOK_AGAIN_MS) return
    lookedAt = now()
    near = new BlockList()
    near.addSubnet('169.254.0.0', 16)
    near.addSubnet('fe80::', 10, 'ipv6')
    for (const network of networks) addNetwork(near, network)
    const own = Object.values(interfaces()).flatMap((addresses) => addresses ?? [])
    for (const { cidr, internal } of own) if (!internal && cidr !== null && isOneLink(cidr)) addNetwork(near, cidr)
  }

  return {
    isNear: (address) => {
      const plain = plainAddress(address)
      const version = isIP(plain)
      if (version === 0) return false
      look()
      if (near.check(plain, version === 4 ? 'ipv4' : 'ipv6')) return true
      const at = heardAt.get(plain)
      return at !== undefined && now() - at < HEARD_MS
    },
    heard: (address) => {
      const plain = plainAddress(address)
      if (isLoopback(plain)) return
      heardAt.delete(plain)
      heardAt.set(plain, now())
      const [oldest] = heardAt.keys()
      if (heardAt.size > HEARD_MAX && oldest !== undefined) heardAt.delete(oldest)
    },
  }
}

/** Reads `address/length`; undefined for anything else. */
export const parseNetwork = (text: string): { readonly address: string; readonly prefix: number } | undefined => {
  const [address = '', length = '', ...rest] = text.split('/')
  const version = isIP(address)
  const prefix = /^\d{1,3}$/.test(length) ? Number(length) : Number.NaN
  if (version === 0 || rest.length > 0 || !(prefix <= (version === 4 ? 32 : 128))) return undefined
  return { address, prefix }
}

const addNetwork = (list: BlockList, text: string): void => {
  const network = parseNetwork(text)
  if (network === undefined) return // Settings are checked when they are read.
  list.addSubnet(network.address, network.prefix, isIP(network.address) === 4 ? 'ipv4' : 'ipv6')
}

const isOneLink = (cidr: string): boolean => {
  const network = parseNetwork(cidr)
  if (network === undefined) return false
  const { min, max } = isIP(network.address) === 4 ? PREFIX_V4 : PREFIX_V6
  return network.prefix >= min && network.prefix <= max
}
