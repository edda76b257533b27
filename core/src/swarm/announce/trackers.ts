// Makes the trackers of a torrent from their addresses. An address that cannot be used is reported and left out.
import { LIMITS } from '../../limits.ts'
import type { AddressPolicy } from '../peers/addresses.ts'
import type { GuardedHttp } from '../web/guarded-http.ts'
import type { OnConnection, Rendezvous } from '../webrtc/rendezvous.ts'
import { createHttpTracker } from './http-tracker.ts'
import type { Identity, Tracker } from './tracker.ts'
import { createUdpTracker } from './udp-tracker.ts'

export interface TrackersOptions {
  readonly identity: Identity
  readonly policy: AddressPolicy
  readonly http: GuardedHttp
  /** For trackers over WebSocket; without it, they are passed over. */
  readonly webRtc?: { readonly rendezvous: Rendezvous; readonly onConnection: OnConnection } | undefined
  readonly onWarning: (message: string) => void
}

export const createTrackers = (urls: readonly string[], options: TrackersOptions): ReadonlyMap<string, Tracker> => {
  const trackers = new Map<string, Tracker>()
  for (const url of urls.slice(0, LIMITS.trackersMax)) {
    const tracker = createTracker(url, options)
    if (tracker !== undefined) trackers.set(url, tracker)
    else if (options.webRtc !== undefined || !isWebSocket(url))
      options.onWarning(`tracker ${url} is none that can be used`)
  }
  return trackers
}

const createTracker = (url: string, { identity, policy, http, webRtc }: TrackersOptions): Tracker | undefined => {
  const { protocol, port } = URL.parse(url) ?? {}
  if (protocol === 'http:' || protocol === 'https:') return createHttpTracker(url, identity, http)
  if (protocol === 'ws:' || protocol === 'wss:') return webRtc?.rendezvous.tracker(url, identity, webRtc.onConnection)
  if (protocol === 'udp:' && port !== '') return createUdpTracker(url, identity, policy)
  return undefined
}

const isWebSocket = (url: string): boolean => /^wss?:/i.test(url)
