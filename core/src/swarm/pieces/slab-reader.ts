// Reads blocks for sending. Peers ask for the blocks of a piece one after the other, so a larger slab is read at once and
// the last few are kept, for all torrents together. Blocks are views into a slab, never copies.

export interface SlabReader {
  read(source: SlabSource, index: number, offset: number, length: number): Promise<Uint8Array>
  /** Forgets everything of `source`. */
  drop(source: SlabSource): void
}

/** Reads part of a piece. */
export interface SlabSource {
  readonly pieceLengthOf: (index: number) => number
  readonly read: (index: number, offset: number, length: number) => Promise<Uint8Array>
}

/** One read for 16 blocks; a slab of a whole 16 MiB piece would be read for nothing if only one block is wanted. */
const SLAB_BYTES = 256 * 1024
/** 16 MiB: two slabs for each of as many peers as are unchoked at once. */
const SLABS_MAX = 64

export const createSlabReader = (): SlabReader => {
  const slabs = new Map<SlabSource, Map<string, Promise<Uint8Array>>>()
  const order: { readonly source: SlabSource; readonly key: string }[] = []

  const slabOf = (source: SlabSource, index: number, start: number): Promise<Uint8Array> => {
    const key = `${index}:${start}`
    const own = slabs.get(source) ?? new Map<string, Promise<Uint8Array>>()
    slabs.set(source, own)
    const known = own.get(key)
    if (known !== undefined) return known
    const slab = source.read(index, start, Math.min(SLAB_BYTES, source.pieceLengthOf(index) - start))
    own.set(key, slab)
    order.push({ source, key })
    slab.catch(() => own.delete(key)) // Whoever waits for it has the error; the next one tries again.
    if (order.length > SLABS_MAX) forgetOldest()
    return slab
  }

  const forgetOldest = (): void => {
    const oldest = order.shift()
    if (oldest === undefined) return
    const own = slabs.get(oldest.source)
    own?.delete(oldest.key)
    if (own?.size === 0) slabs.delete(oldest.source)
  }

  return {
    read: async (source, index, offset, length) => {
      const start = offset - (offset % SLAB_BYTES)
      // Peers may ask for any range; what crosses a slab's end is rare and read by itself.
      if (offset + length > start + SLAB_BYTES) return source.read(index, offset, length)
      const slab = await slabOf(source, index, start)
      return slab.subarray(offset - start, offset - start + length)
    },
    drop: (source) => void slabs.delete(source),
  }
}
