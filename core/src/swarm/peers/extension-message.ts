// Our own messages over BEP 10: small bencoded dictionaries. Who does not know them does not get them, and what comes is hostile.
import type Wire from 'bittorrent-protocol'
import { type BencodeDictionary, decodeBencode, type Encodable, encodeBencode, isDictionary } from '../bencode.ts'

export interface Extension {
  /** The peer understands it. Known once its handshake has come. */
  readonly isUnderstood: boolean
  /** Sends nothing to a peer that would not understand it. */
  send(message: { readonly [key: string]: Encodable }): void
}

/** To be called before our own extended handshake leaves, when the peer has just been let in. Malformed messages are passed over. */
export const extend = (wire: Wire, name: string, onMessage: (message: BencodeDictionary) => void): Extension => {
  class Handler {
    onMessage(bytes: Uint8Array): void {
      try {
        const message = decodeBencode(bytes)
        if (isDictionary(message)) onMessage(message)
      } catch (error) {
        if (!(error instanceof SyntaxError)) throw error
      }
    }
  }
  Object.defineProperty(Handler.prototype, 'name', { value: name })
  wire.use(Handler as unknown as (wire: Wire) => unknown)
  const isUnderstood = (): boolean => (wire.peerExtendedMapping[name] ?? 0) > 0
  return {
    get isUnderstood() {
      return isUnderstood()
    },
    send: (message) => {
      if (isUnderstood() && !wire.destroyed) wire.extended(name, encodeBencode(message))
    },
  }
}
