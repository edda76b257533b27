// Under which addresses others reach this origin. Addresses only: nothing is opened here.
import { lookup } from 'node:dns/promises'
import { isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { listenFailure } from './listen.ts'

/** Machines with more addresses than this run containers on the others. */
const ADDRESSES_MAX = 4

/**
 * The numeric address to listen on.
 *
 * Errors: USAGE if the name means nothing here.
 */
export const resolveHost = async (host: string): Promise<string> => {
  try {
    return (await lookup(host)).address
  } catch (error) {
    throw listenFailure(error, 'tcp', host, 0)
  }
}

/** The addresses at which a server on `host` is reached: the host itself or, if it is all of them, those of the machine. */
export const addressesOf = (host: string): readonly [string, ...string[]] => {
  if (host !== '0.0.0.0' && host !== '::') return [host]
  const outward = Object.values(networkInterfaces())
    .flatMap((addresses = []) => addresses)
    .filter(({ internal, family }) => !internal && family === 'IPv4')
    .map(({ address }) => address)
  const [first = '127.0.0.1', ...others] = outward.slice(0, ADDRESSES_MAX)
  return [first, ...others]
}

/** The UDP tracker speaks IPv4 only: bittorrent-tracker answers IPv6 clients with addresses of the wrong length. */
export const udpHostOf = (host: string): string | undefined => {
  if (host === '::') return '0.0.0.0'
  return isIPv6(host) ? undefined : host
}

/** `host:port` as it stands in a URL. */
export const authorityOf = (host: string, port: number): string => `${isIPv6(host) ? `[${host}]` : host}:${port}`
