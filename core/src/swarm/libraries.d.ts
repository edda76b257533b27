// Types of the untyped BitTorrent libraries, reduced to what the swarm and its tests use of them.

declare module 'bencode' {
  const bencode: {
    encode(value: unknown): Uint8Array
    decode(bytes: Uint8Array): unknown
  }
  export default bencode
}
