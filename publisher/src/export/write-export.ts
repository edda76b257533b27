// Writes an exported file as its members are read, so that memory does not depend on their length; it has its name only once
// it is whole and on the disk. Knows nothing of what is in it.
import { createHash, randomBytes } from 'node:crypto'
import { open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { SUMS, sumLine } from '@updraft/core/archive/export-file'
import { TAR_END, tarHeaderOf, tarPaddingOf } from '@updraft/core/archive/tar'
import { fromFileSystem, UpdateError } from '@updraft/core/errors'
import { syncDirectory } from '@updraft/core/files/atomic'
import { writeFully } from '@updraft/core/files/whole'
import type { ProgressListener } from '@updraft/core/progress'

export interface ExportMember {
  readonly name: string
  readonly lengthBytes: number
  /** Exactly so many bytes, or it throws. */
  content(): AsyncIterable<Uint8Array>
}

export interface WriteExportOptions {
  readonly onProgress?: ProgressListener | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Replaces the file at `path`, and gives its length. The same members always give the same bytes.
 *
 * Errors: those of the members; DISK_FULL, PERMISSION, IO, ABORTED. Then the file is as it was.
 */
export const writeExport = async (
  path: string,
  members: readonly ExportMember[],
  { onProgress, signal }: WriteExportOptions = {},
): Promise<number> => {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString('hex')}.tmp`)
  const totalBytes = members.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0)
  let doneBytes = 0
  let length = 0
  try {
    {
      await using file = await open(temporary, 'wx', 0o644)
      const append = async (bytes: Uint8Array): Promise<void> => {
        await writeFully(file, bytes, length)
        length += bytes.length
      }
      const lines: string[] = []
      for (const { name, lengthBytes, content } of members) {
        const digest = createHash('sha256')
        await append(tarHeaderOf(name, lengthBytes))
        for await (const bytes of content()) {
          if (signal?.aborted) throw new UpdateError('ABORTED', `the export to ${path} was interrupted`)
          digest.update(bytes)
          await append(bytes)
          doneBytes += bytes.length
          onProgress?.({ phase: 'export', doneBytes, totalBytes })
        }
        await append(tarPaddingOf(lengthBytes))
        lines.push(sumLine(digest.digest('hex'), name))
      }
      const sums = Buffer.from(lines.join(''))
      await append(Buffer.concat([tarHeaderOf(SUMS, sums.length), sums, tarPaddingOf(sums.length), TAR_END]))
      await file.sync()
    }
    await rename(temporary, path)
    await syncDirectory(dirname(path))
    return length
  } catch (error) {
    await rm(temporary, { force: true })
    throw fromFileSystem(error, `cannot write ${path}`)
  }
}
