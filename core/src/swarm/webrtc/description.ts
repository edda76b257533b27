// Session descriptions of WebRTC (SDP, RFC 8866; candidates, RFC 8839), as strangers send them: kept are only those candidates
// that the policy lets us connect to. What we send is cut down in the same way, so that it says no more than it must.
import type { AddressPolicy } from '../peers/addresses.ts'

export interface Description {
  readonly type: 'offer' | 'answer'
  readonly sdp: string
}

/** One of a browser with a dozen interfaces has 3 KiB. */
export const SDP_LENGTH_MAX = 16 * 1024
const CANDIDATES_MAX = 32

/**
 * `value` as a description of this type with the candidates that may be used; undefined if it is none. Names are dropped:
 * browsers hide their addresses behind names of their own (mDNS), and are found by their packets, because they know ours.
 */
export const parseDescription = (
  value: unknown,
  type: Description['type'],
  policy: AddressPolicy,
): Description | undefined => {
  if (!(value instanceof Object) || !('sdp' in value) || !('type' in value) || value.type !== type) return undefined
  const { sdp } = value
  if (typeof sdp !== 'string' || sdp.length > SDP_LENGTH_MAX || !/^v=0\r?\n/.test(sdp)) return undefined
  let candidates = 0
  const lines = sdp.split(/\r?\n/).filter((line) => {
    if (!/^a=candidate:/i.test(line)) return true
    candidates += 1
    return candidates <= CANDIDATES_MAX && isAllowed(line, policy)
  })
  return { type, sdp: lines.join('\r\n') }
}

/** `a=candidate:FOUNDATION COMPONENT TRANSPORT PRIORITY ADDRESS PORT typ TYPE …` (RFC 8839, 5.1). */
const isAllowed = (line: string, policy: AddressPolicy): boolean => {
  const [, , transport = '', , address = '', port = ''] = line.split(' ')
  return transport.toLowerCase() === 'udp' && policy.allows(address) && Number(port) > 0 && Number(port) < 65_536
}
