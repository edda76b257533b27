// A tracker over HTTP (BEP 3, compact answers BEP 23 and BEP 7), read as hostile.
//
// Replaces the client in bittorrent-tracker: an answer that stops in the middle ends its whole process with an unhandled
// rejection (bittorrent-tracker issue 524), answers have no bound, an interval of a month becomes one of a millisecond,
// and it connects to wherever a name or a redirect leads.
import { isIP } from 'node:net'
import { type BencodeValue, decodeBencode, isDictionary, textOf } from '../bencode.ts'
import { type Endpoint, plainAddress } from '../peers/addresses.ts'
import { type GuardedHttp, readBounded } from '../web/guarded-http.ts'
import {
  type Announcement,
  type Identity,
  parseCompactPeers,
  peersWanted,
  type Tracker,
  type TrackerAnswer,
} from './tracker.ts'

const TIMEOUT_MS = 15_000
/** 200 peers in the longest form are 16 KiB. */
const ANSWER_BYTES_MAX = 256 * 1024

export const createHttpTracker = (url: string, identity: Identity, http: GuardedHttp): Tracker => ({
  announce: async (announcement, signal) => {
    const response = await http.get(`${url}${url.includes('?') ? '&' : '?'}${queryOf(identity, announcement)}`, {
      headers: {},
      idleTimeoutMs: TIMEOUT_MS,
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT_MS)]),
    })
    const body = await readBounded(response, ANSWER_BYTES_MAX)
    if (response.statusCode !== 200) throw new Error(`the tracker answers ${response.statusCode}`)
    return parseAnswer(decodeBencode(body, { keyOrder: 'any' }))
  },
})

const queryOf = ({ infoHash, peerId, port }: Identity, announcement: Announcement): string =>
  [
    `info_hash=${percentEncoded(infoHash)}`,
    `peer_id=${percentEncoded(peerId)}`,
    `port=${port}`,
    `uploaded=${announcement.uploadedBytes}`,
    `downloaded=${announcement.downloadedBytes}`,
    `left=${announcement.leftBytes}`,
    'compact=1',
    `numwant=${peersWanted(announcement)}`,
    ...(announcement.event === undefined ? [] : [`event=${announcement.event}`]),
  ].join('&')

/** BEP 3: the bytes themselves, percent-encoded; `encodeURIComponent` would encode the digits. */
const percentEncoded = (hexadecimal: string): string => hexadecimal.replace(/../g, '%$&')

const parseAnswer = (answer: BencodeValue): TrackerAnswer => {
  if (!isDictionary(answer)) throw new Error('the answer is not a dictionary')
  const { entries } = answer
  const failure = textOf(entries.get('failure reason'))
  if (failure !== undefined) throw new Error(`the tracker refuses: ${failure.slice(0, 200)}`)
  return {
    intervalMs: millisecondsOf(entries.get('interval')),
    minIntervalMs: millisecondsOf(entries.get('min interval')),
    leechers: countOf(entries.get('incomplete')),
    seeders: countOf(entries.get('complete')),
    peers: [...peersOf(entries.get('peers'), 4), ...peersOf(entries.get('peers6'), 16)],
  }
}

const countOf = (value: BencodeValue | undefined): number | undefined =>
  typeof value === 'number' && value >= 0 ? value : undefined

const millisecondsOf = (value: BencodeValue | undefined): number | undefined =>
  typeof value === 'number' && value > 0 ? value * 1000 : undefined

const peersOf = (value: BencodeValue | undefined, addressLength: 4 | 16): readonly Endpoint[] => {
  if (value instanceof Uint8Array) return parseCompactPeers(value, addressLength)
  if (!Array.isArray(value)) return []
  return value.slice(0, 200).flatMap((peer: BencodeValue): readonly Endpoint[] => {
    if (!isDictionary(peer)) return []
    const host = plainAddress(textOf(peer.entries.get('ip')) ?? '')
    const port = peer.entries.get('port')
    // A name in place of an address would be looked up unchecked, so it is not taken.
    return isIP(host) !== 0 && typeof port === 'number' && port > 0 && port < 65_536 ? [{ host, port }] : []
  })
}
