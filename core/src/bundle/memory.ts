// Memory for what is megabytes long: used again by the next job of a thread, or given back at once. The garbage collector
// would let dozens pile up first.

const buffers = new Map<string, Buffer>()

type Column = Uint8Array | Uint32Array | Int32Array

type Purpose = 'block' | 'content' | 'base' | 'packed' | 'source' | 'target' | 'heads' | 'places'

/** `lengthBytes` of memory with any content, the same for every call with this `purpose`. */
export const scratch = (purpose: Purpose, lengthBytes: number): Buffer => {
  let buffer = buffers.get(purpose)
  if (buffer === undefined || buffer.length < lengthBytes) {
    forget(purpose)
    buffer = Buffer.allocUnsafeSlow(lengthBytes)
    buffers.set(purpose, buffer)
  }
  return buffer.subarray(0, lengthBytes)
}

/** Gives back the memory for a purpose, of which nobody may use a piece any more. */
export const forget = (purpose: Purpose): void => {
  const buffer = buffers.get(purpose)
  buffers.delete(purpose)
  release(buffer)
}

/** Gives back the memory of `bytes`, which nobody may use any more. Memory that others share is left alone. */
export const release = (bytes: Column | undefined): void => {
  if (bytes !== undefined && isOwned(bytes) && bytes.buffer instanceof ArrayBuffer) bytes.buffer.transfer(0)
}

/** Whether the memory behind `bytes` is nobody else's: neither scratch nor Node's pool of small buffers. */
export const isOwned = (bytes: Column): boolean =>
  bytes.buffer.byteLength > Buffer.poolSize && !buffers.values().some((buffer) => buffer.buffer === bytes.buffer)
