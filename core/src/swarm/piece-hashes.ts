// Hashes files into BitTorrent pieces (BEP 3): one pass over all files as if they were one, with one buffer.
import { createHash } from 'node:crypto'
import { type FileHandle, open } from 'node:fs/promises'
import { fromFileSystem, UpdateError } from '../errors.ts'
import type { ProgressListener } from '../progress.ts'

/** Bytes of one SHA-1 digest. */
export const PIECE_HASH_BYTES = 20

const READ_BYTES = 4 * 1024 * 1024

export interface HashPiecesOptions {
  readonly files: readonly { readonly file: string }[]
  readonly pieceLength: number
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ProgressListener | undefined
}

/**
 * Reads every file once, in order; a piece runs on from the end of one file into the next.
 *
 * Units:  `lengths` in bytes, one for each file; `pieceHashes` 20 bytes for each piece.
 * Errors: BUILD_CHANGED if a file grows or shrinks meanwhile, IO, PERMISSION, ABORTED.
 */
export const hashPieces = async ({ files, pieceLength, signal, onProgress }: HashPiecesOptions) => {
  const totalBytes = (await Promise.all(files.map(({ file }) => lengthOf(file)))).reduce((sum, size) => sum + size, 0)
  const hashes: Buffer[] = []
  const lengths: number[] = []
  const buffer = Buffer.allocUnsafe(READ_BYTES)
  let piece = createHash('sha1')
  let pieceBytes = 0
  let doneBytes = 0

  const finishPiece = (): void => {
    hashes.push(piece.digest())
    piece = createHash('sha1')
    pieceBytes = 0
  }

  const add = (bytes: Uint8Array): void => {
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + pieceLength - pieceBytes)
      piece.update(part)
      at += part.length
      pieceBytes += part.length
      if (pieceBytes === pieceLength) finishPiece()
    }
  }

  for (const { file } of files) {
    const length = await readThrough(file, buffer, (bytes) => {
      if (signal?.aborted) throw new UpdateError('ABORTED', `hashing ${file} was interrupted`, { cause: signal.reason })
      add(bytes)
      doneBytes += bytes.length
      onProgress?.({ phase: 'torrent', doneBytes, totalBytes })
    })
    lengths.push(length)
  }
  if (pieceBytes > 0) finishPiece()
  return { lengths, pieceHashes: Buffer.concat(hashes) }
}

const lengthOf = (file: string): Promise<number> => withFile(file, async (handle) => (await handle.stat()).size)

/** Hands every byte of the file to `take`, in `buffer`, which is reused. Gives the number of bytes. */
const readThrough = (file: string, buffer: Buffer, take: (bytes: Uint8Array) => void): Promise<number> =>
  withFile(file, async (handle) => {
    const { size } = await handle.stat()
    let length = 0
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, length)
      if (bytesRead === 0) break
      length += bytesRead
      if (length > size) break
      take(buffer.subarray(0, bytesRead))
    }
    if (length !== size) throw new UpdateError('BUILD_CHANGED', `${file} changed while it was read`)
    return length
  })

const withFile = async <T>(file: string, use: (handle: FileHandle) => Promise<T>): Promise<T> => {
  try {
    await using handle = await open(file, 'r')
    return await use(handle)
  } catch (error) {
    throw fromFileSystem(error, `cannot read ${file}`)
  }
}
