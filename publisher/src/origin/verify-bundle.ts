// Whether the bundle of a release on disk is the one that was signed: the metainfo by its SHA-256, and every piece of the
// files by the metainfo. Reads everything once; changes nothing.
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { UpdateError } from '@updraft/core/errors'
import { readFileBounded } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'
import { type Metainfo, parseMetainfo } from '@updraft/core/swarm/metainfo'
import { hashPieces } from '@updraft/core/swarm/piece-hashes'
import type { PublishedRelease } from '../repository.ts'

/**
 * Gives the metainfo of a bundle that is whole.
 *
 * Errors: BUNDLE_INVALID, METAINFO_INVALID, IO if a file is missing, PERMISSION, ABORTED.
 */
export const verifyBundle = async (published: PublishedRelease, signal: AbortSignal): Promise<Metainfo> => {
  const { release, bundleDirectory } = published
  const metainfo = await readMetainfo(published)
  const files = metainfo.files.map(({ path }) => ({ file: join(bundleDirectory, path) }))
  const { lengths, pieceHashes } = await hashPieces({ files, pieceLength: release.torrent.pieceLength, signal })
  const wrong = metainfo.files.find(({ lengthBytes }, at) => lengths[at] !== lengthBytes)
  if (wrong !== undefined) throw damaged(bundleDirectory, `${wrong.path} does not have ${wrong.lengthBytes} bytes`)
  if (!pieceHashes.equals(metainfo.pieceHashes)) throw damaged(bundleDirectory, 'its bytes are not what was signed')
  return metainfo
}

const readMetainfo = async ({ release, metainfo: target }: PublishedRelease): Promise<Metainfo> => {
  const bytes = await readFileBounded(target.file, LIMITS.metainfoLengthBytes)
  if (createHash('sha256').update(bytes).digest('hex') !== target.sha256) {
    throw damaged(target.file, 'its digest is not what was signed')
  }
  const metainfo = parseMetainfo(bytes)
  const { btih, pieceLength } = release.torrent
  if (metainfo.infoHash !== btih || metainfo.pieceLength !== pieceLength) {
    throw damaged(target.file, `it describes the torrent ${metainfo.infoHash}, not ${btih}`)
  }
  return metainfo
}

const damaged = (path: string, why: string): UpdateError =>
  new UpdateError('BUNDLE_INVALID', `${path} is damaged: ${why}`, {
    hint: 'restore it from a backup, or from a machine that seeds it',
  })
