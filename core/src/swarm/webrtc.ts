// Peers over WebRTC: everything that it takes, loaded only by those who want it.
import type { AddressPolicy } from './peers/addresses.ts'
import { createWebRtc } from './webrtc/connection.ts'
import { createRendezvous, type Rendezvous } from './webrtc/rendezvous.ts'
import { loadWebRtc } from './webrtc/runtime.ts'

export interface OpenRendezvousOptions {
  readonly policy: AddressPolicy
  readonly stunServers: readonly string[]
  readonly userAgent: string
}

/** Errors: Error if this program has no WebRTC. */
export const openRendezvous = async ({
  policy,
  stunServers,
  userAgent,
}: OpenRendezvousOptions): Promise<Rendezvous> => {
  await loadWebRtc()
  const { default: Peer } = await import('@thaunknown/simple-peer/lite.js')
  return createRendezvous({ webRtc: createWebRtc(Peer, { policy, stunServers }), policy, userAgent })
}
