// Types of the part of bittorrent-tracker's client that the tests of the tracker use.
declare module 'bittorrent-tracker/client' {
  import type { EventEmitter } from 'node:events'

  class Client extends EventEmitter {
    constructor(options: {
      readonly infoHash: string
      readonly peerId: string
      readonly announce: readonly string[]
      readonly port: number
    })
    start(options?: { readonly left?: number }): void
    complete(options?: { readonly left?: number }): void
    update(): void
    stop(): void
    scrape(): void
    destroy(done?: () => void): void
  }

  // biome-ignore lint/style/noDefaultExport: it is how the package exports it.
  export { Client as default }
}
