// Buffers for pieces, used again and again: fresh memory costs more than what is done with it.

export interface BufferPool {
  acquire(length: number): Buffer<ArrayBuffer>
  /** The buffer must not be used any more. */
  release(buffer: Buffer<ArrayBuffer>): void
}

/** What is kept while nothing needs it. */
const KEPT_BYTES_MAX = 4 * 1024 * 1024

/** For pieces of `length` bytes, and the shorter last one. */
export const createBufferPool = (length: number): BufferPool => {
  const free: ArrayBuffer[] = []
  return {
    acquire: (wanted) => Buffer.from(free.pop() ?? new ArrayBuffer(length), 0, wanted),
    release: ({ buffer }) => {
      if (free.length * length < KEPT_BYTES_MAX) free.push(buffer)
    },
  }
}
