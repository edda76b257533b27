// The extension as bittorrent-protocol wants it: a class whose prototype has a name. Hands on, and decides nothing.
import { EXTENSION_NAME } from './message.ts'

export interface ExtensionEvents {
  /** The other end has said which extensions it speaks (BEP 10). */
  readonly onSpoken: (speaksOurs: boolean) => void
  readonly onMessage: (bytes: Uint8Array) => void
}

export const extensionFor = ({ onSpoken, onMessage }: ExtensionEvents) =>
  class {
    get name(): string {
      return EXTENSION_NAME
    }
    onHandshake(): void {}
    onExtendedHandshake({ m }: { readonly m?: unknown }): void {
      onSpoken(typeof m === 'object' && m !== null && Number((m as Record<string, unknown>)[EXTENSION_NAME]) > 0)
    }
    onMessage(bytes: Uint8Array): void {
      onMessage(bytes)
    }
  }
