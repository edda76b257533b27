// Which addresses the swarm may talk to. Peers, trackers and web seeds are hints from others: none of them may make this
// machine connect to itself or to its link. Names are judged by what they resolve to, at the moment of connecting.
import { lookup as resolve } from 'node:dns'
import { BlockList, isIP, type LookupFunction } from 'node:net'

export interface AddressPolicy {
  /** True for an address literal that may be connected to; false for anything else, names included. */
  allows(address: string): boolean
}

export interface Endpoint {
  readonly host: string
  readonly port: number
}

/** Never a single other machine: unspecified, multicast, reserved, broadcast. */
const nowhere = new BlockList()
nowhere.addSubnet('0.0.0.0', 8)
nowhere.addSubnet('224.0.0.0', 4)
nowhere.addSubnet('240.0.0.0', 4)
nowhere.addAddress('::', 'ipv6')
nowhere.addSubnet('ff00::', 8, 'ipv6')

/** This machine, and the link it is on: where services trust their callers without asking. */
const near = new BlockList()
near.addSubnet('127.0.0.0', 8)
near.addSubnet('169.254.0.0', 16)
near.addAddress('::1', 'ipv6')
near.addSubnet('fe80::', 10, 'ipv6')

/** Private ranges are allowed: most swarms live in one company's network. */
export const addressPolicy = ({ allowLoopback }: { readonly allowLoopback: boolean }): AddressPolicy => ({
  allows: (address) => {
    const plain = plainAddress(address)
    const version = isIP(plain)
    if (version === 0) return false
    const family = version === 4 ? 'ipv4' : 'ipv6'
    return !nowhere.check(plain, family) && (allowLoopback || !near.check(plain, family))
  },
})

export const isLoopback = (address: string): boolean => {
  const plain = plainAddress(address)
  return plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'))
}

/** An address without brackets, zone, or the IPv6 form that a dual-stack socket gives to IPv4 (RFC 4291 2.5.5.2). */
export const plainAddress = (address: string): string => {
  const bare = address.replace(/^\[|\]$/g, '').replace(/%.*$/, '')
  const dotted = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare)
  if (dotted?.[1] !== undefined) return dotted[1]
  const hexadecimal = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/i.exec(bare)
  if (hexadecimal === null) return bare
  const [high, low] = [Number.parseInt(hexadecimal[1] ?? '', 16), Number.parseInt(hexadecimal[2] ?? '', 16)]
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}

/** `host:port`, IPv6 in brackets. */
export const formatEndpoint = ({ host, port }: Endpoint): string =>
  isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`

/** Reads `host:port`; undefined for anything else. */
export const parseEndpoint = (text: string): Endpoint | undefined => {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined || port < 1 || port > 65_535) return undefined
  return { host: plainAddress(host), port }
}

/** Says which address was refused, so that the owner of a machine can see what to allow. */
export const refusal = (host: string, addresses: readonly string[]): Error =>
  new Error(`${host} is at ${addresses.join(', ')}, which is not allowed without allowLoopback`)

/**
 * `dns.lookup` that gives only allowed addresses: the `lookup` option of sockets. A socket that is given an address
 * literal does not look it up, so the caller asks `allows` for those first.
 */
export const guardedLookup =
  (policy: AddressPolicy): LookupFunction =>
  (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      if (error !== null) return callback(error, '')
      const allowed = addresses.filter(({ address }) => policy.allows(address))
      const [first] = allowed
      if (first === undefined) {
        const refused = addresses.map(({ address }) => address)
        return callback(refusal(hostname, refused), '')
      }
      if (options.all === true) return callback(null, allowed)
      return callback(null, first.address, first.family)
    })
  }

/** All allowed addresses of a host, a name or a literal. */
export const resolveAllowed = (host: string, policy: AddressPolicy): Promise<readonly string[]> =>
  new Promise((done, fail) => {
    resolve(host, { all: true }, (error, addresses) => {
      if (error !== null) return fail(error)
      const allowed = addresses.map(({ address }) => address).filter((address) => policy.allows(address))
      if (allowed.length > 0) return done(allowed)
      return fail(
        refusal(
          host,
          addresses.map(({ address }) => address),
        ),
      )
    })
  })
