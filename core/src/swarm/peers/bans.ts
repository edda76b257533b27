// Who sent bad data, for a term. The list is a seam: an agent may keep it on disk so that a restart forgets nothing.
import { isIP } from 'node:net'
import { isLoopback, plainAddress } from './addresses.ts'

export interface BanList {
  isBanned(subject: string): boolean
  /** Bans `subject` for the list's term. `reason` is for people; `bundle` is what the bad data was sent for, if it was. */
  ban(subject: string, reason: string, bundle?: string): void
}

/** The same list, for what is sent of one bundle. */
export const bansFor = (bans: BanList, bundle: string): BanList => ({
  isBanned: bans.isBanned,
  ban: (subject, reason) => bans.ban(subject, reason, bundle),
})

export interface MemoryBansOptions {
  readonly termMs?: number
  /** The oldest are forgotten first: a flood of bad peers must not fill the memory. */
  readonly subjectsMax?: number
  readonly now?: () => number
  /** Bans of an earlier run and when they end, in milliseconds since 1970; the oldest first. */
  readonly remembered?: Iterable<readonly [subject: string, untilMs: number]>
}

/** An hour: long enough to finish without the peer, short enough that a repaired machine comes back the same day. */
export const BAN_TERM_MS = 60 * 60 * 1000
/** More than a swarm has peers. */
export const BANNED_SUBJECTS_MAX = 10_000

export const memoryBans = (options: MemoryBansOptions = {}): BanList => {
  const { termMs = BAN_TERM_MS, subjectsMax = BANNED_SUBJECTS_MAX, now = Date.now, remembered = [] } = options
  // An end that is further ahead than a whole term is one from before the clock was set back.
  const until = new Map([...remembered].map(([subject, end]) => [subject, Math.min(end, now() + termMs)]))
  return {
    isBanned: (subject) => {
      const end = until.get(subject)
      if (end === undefined) return false
      if (end > now()) return true
      until.delete(subject)
      return false
    },
    ban: (subject) => {
      until.delete(subject)
      until.set(subject, now() + termMs)
      for (const oldest of until.keys()) {
        if (until.size <= subjectsMax) break
        until.delete(oldest)
      }
    },
  }
}

export interface BannablePeer {
  /** Undefined where the connection has none that can be known (WebRTC). */
  readonly address: string | undefined
  readonly peerId: string
}

/**
 * What to ban, and to ask for, about a peer.
 *
 * A peer id is chosen by the peer itself: one who borrows the id of another could get that one banned. So an id counts
 * only together with its address, and alone only where there is no address. One loopback address, on the other hand,
 * stands for many programs, so there the address alone does not count.
 */
export const banSubjectsOf = ({ address, peerId }: BannablePeer): readonly string[] => {
  if (address === undefined) return [`peer ${peerId}`]
  const plain = plainAddress(address)
  if (isLoopback(plain)) return [`address ${plain} peer ${peerId}`]
  return [`address ${isIP(plain) === 6 ? networkOf(plain) : plain}`]
}

/** Of one torrent only: a server with one damaged file has others that are right. */
export const webSeedBanSubject = (url: string, infoHash: string): string => `web seed ${url} torrent ${infoHash}`

/** The /64 that an IPv6 address is in: a host may take any address of its own network. */
const networkOf = (address: string): string => {
  const [head = '', tail] = address.toLowerCase().split('::')
  const front = head === '' ? [] : head.split(':')
  const back = tail === undefined || tail === '' ? [] : tail.split(':')
  const zeros = tail === undefined ? 0 : 8 - front.length - back.length
  const groups = [...front, ...Array.from({ length: Math.max(0, zeros) }, () => '0'), ...back]
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}
