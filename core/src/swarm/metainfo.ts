// BitTorrent metainfo (BEP 3): made by the publisher, parsed by agents as hostile input. Version 1, multiple files.

export interface MetainfoFile {
  /** Path below the torrent's name, `/` between parts. */
  readonly path: string
  readonly lengthBytes: number
}

export interface Metainfo {
  /** SHA-1 of the bencoded info dictionary, 40 hex digits in lower case. */
  readonly infoHash: string
  readonly name: string
  readonly files: readonly MetainfoFile[]
  readonly lengthBytes: number
  readonly pieceLength: number
  /** SHA-1 of each piece, 20 bytes each, one after the other. */
  readonly pieceHashes: Uint8Array
  readonly trackers: readonly string[]
  readonly webSeeds: readonly string[]
  /** The whole file as it was parsed. */
  readonly bytes: Uint8Array
}
