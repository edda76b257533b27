// A torrent of which webtorrent believes that everything is there, so that it keeps connections, handshakes and
// extensions going and leaves pieces alone: they are fetched, checked and sent by this project's own parts.

import type WebTorrent from 'webtorrent'
import type { Torrent } from 'webtorrent'
import { infoBytesOf, type Metainfo } from '../metainfo.ts'

/**
 * Adds the torrent and gives it once it takes peers. `prepare` is called before anything else can happen.
 *
 * webtorrent gets the bare info dictionary, so that it knows neither the trackers nor the web seeds of the metainfo.
 */
export const addDormant = (
  client: WebTorrent,
  metainfo: Metainfo,
  prepare: (torrent: Torrent) => void,
): Promise<Torrent> =>
  new Promise((resolve, reject) => {
    const prefix = Buffer.from('d4:info')
    const torrent = client.add(Buffer.concat([prefix, infoBytesOf(metainfo), Buffer.from('e')]), {
      preloadedStore: emptyStore(metainfo.pieceLength),
      storeCacheSlots: 0,
      skipVerify: true,
      deselect: true,
      strategy: 'rarest',
    })
    silence(torrent)
    prepare(torrent)
    torrent.once('error', reject)
    torrent.once('ready', () => {
      torrent.removeListener('error', reject)
      shed(torrent)
      resolve(torrent)
    })
  })

/** Stops what webtorrent would do by itself: choose pieces, count rarities for each message, and find peers. */
const silence = (torrent: Torrent): void => {
  torrent._update = () => {}
  torrent._updateSelections = () => {}
  torrent.once('metadata', () => {
    torrent._rarityMap.destroy()
    torrent._rarityMap = { destroy: () => {} }
  })
  const startDiscovery = torrent._startDiscovery.bind(torrent)
  torrent._startDiscovery = () => {
    if (torrent.client.dht) startDiscovery()
    else torrent.discovery = { complete: () => {}, destroy: (done) => done(), tracker: null }
  }
}

/**
 * Per piece, webtorrent keeps a hash as 40 characters and three array entries, and the info dictionary three times over.
 * Nothing reads them any more but `metadata`, which peers may ask for (BEP 9).
 */
const shed = (torrent: Torrent): void => {
  torrent._hashes = []
  torrent._reservations = []
  torrent.pieces = []
  torrent.info = undefined
  torrent.infoBuffer = undefined
  torrent.torrentFile = undefined
}

/** webtorrent insists on a store. Nothing is ever put into this one or read from it. */
const emptyStore = (chunkLength: number) => ({
  chunkLength,
  get: (_index: number, _options: unknown, done: (error: Error) => void) => done(new Error('not kept here')),
  put: (_index: number, _bytes: unknown, done: (error: Error) => void) => done(new Error('not kept here')),
  close: (done: () => void) => done(),
  destroy: (done: () => void) => done(),
})
