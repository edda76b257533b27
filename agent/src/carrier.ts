// An exported file in the place of a server: answers for the files of a repository by reading them out of it, and gives the
// frames of a pack. It is a way to fetch and nothing else: what it gives is judged by the same rooms as what comes by network.
import { createHash, type Hash } from 'node:crypto'
import { pathToFileURL } from 'node:url'
import { type ExportFile, exportedPackOf } from '@updraft/core/archive/export-file'
import type { FrameRow } from '@updraft/core/bundle/bundle-index'
import { UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import type { ReleaseName } from '@updraft/core/names'
import { type Ask, replyOf } from './ask.ts'

export interface Carrier {
  /** Stands for the file in messages, and for the address of a mirror. Ends with a slash. */
  readonly url: string
  /** Answers for what is below `url`, and asks nobody. */
  readonly ask: Ask
  /** Whether the whole bundle of this release is in it. */
  carries(release: ReleaseName): boolean
  openPack(release: ReleaseName): CarriedPack
}

/** A pack that is read once, from its first frame to its last. */
export interface CarriedPack {
  /** Errors: BUNDLE_INVALID if the frame is not the signed one; EXPORT_INVALID, IO. */
  read(frame: FrameRow): Promise<Buffer>
  /** After the last frame. Errors: EXPORT_INVALID if the whole is not what the file itself says. */
  finish(): void
}

export const carrierOf = (file: ExportFile): Carrier => {
  const url = `${pathToFileURL(file.path).href}/`
  return {
    url,
    ask: async (wanted) => {
      const name = wanted.startsWith(url) ? wanted.slice(url.length) : ''
      if (file.has(name)) return replyOf(200, await file.read(name, LIMITS.indexLengthBytes))
      // Only for roots is it an answer that there is none: the one before it is then the newest.
      if (/^metadata\/\d+\.root\.json$/.test(name)) return replyOf(404)
      throw new UpdateError('EXPORT_INVALID', `${file.path} has no ${name}`, {
        hint: 'the file is incomplete: let the publisher export the release again',
      })
    },
    carries: (release) => file.has(exportedPackOf(release)),
    openPack: (release) => openPack(file, exportedPackOf(release)),
  }
}

const openPack = (file: ExportFile, name: string): CarriedPack => {
  const whole: Hash = createHash('sha256')
  let done = 0
  return {
    read: async ({ number, offset, packedLength, sha256 }) => {
      const packed = await file.readPart(name, offset, packedLength)
      whole.update(packed)
      done += packedLength
      if (createHash('sha256').update(packed).digest().equals(sha256)) return packed
      throw new UpdateError('BUNDLE_INVALID', `${file.path}: frame ${number} of ${name} is not what was signed`, {
        hint: 'the file was damaged or altered on its way; nothing of it was used: copy it again',
      })
    },
    finish: () => {
      const is = whole.digest('hex')
      if (done === file.lengthOf(name) && is === file.sha256Of(name)) return
      throw new UpdateError('EXPORT_INVALID', `${file.path}: ${name} is not what its own sum says`, {
        hint: 'the file was damaged or altered on its way; nothing of it was used: copy it again',
      })
    },
  }
}
