// Whether the files of a torrent on disk are what was signed: the metainfo by its SHA-256, and every piece of the files by the
// metainfo. Reads everything once; changes nothing.
import { join } from 'node:path'
import { UpdateError } from '@updraft/core/errors'
import { readFileBounded } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'
import { type Metainfo, parseMetainfo } from '@updraft/core/swarm/metainfo'
import { hashPieces } from '@updraft/core/swarm/piece-hashes'
import type { PublishedTorrent } from '../repository.ts'
import { isWhole } from './releases.ts'

/**
 * Gives the metainfo of a torrent that is whole.
 *
 * Errors: BUNDLE_INVALID, METAINFO_INVALID, IO if a file is missing, PERMISSION, ABORTED.
 */
export const verifyTorrent = async (torrent: PublishedTorrent, signal: AbortSignal): Promise<Metainfo> => {
  const { directory } = torrent
  const metainfo = await readMetainfo(torrent)
  const files = metainfo.files.map(({ path }) => ({ file: join(directory, path) }))
  const { lengths, pieceHashes } = await hashPieces({ files, pieceLength: metainfo.pieceLength, signal })
  const wrong = metainfo.files.find(({ lengthBytes }, at) => lengths[at] !== lengthBytes)
  if (wrong !== undefined) throw damaged(directory, `${wrong.path} does not have ${wrong.lengthBytes} bytes`)
  if (!pieceHashes.equals(metainfo.pieceHashes)) throw damaged(directory, 'its bytes are not what was signed')
  return metainfo
}

const readMetainfo = async ({ infoHash, metainfo: target }: PublishedTorrent): Promise<Metainfo> => {
  const bytes = await readFileBounded(target.file, LIMITS.metainfoLengthBytes)
  if (!isWhole(target, bytes)) throw damaged(target.file, 'its digest is not what was signed')
  const metainfo = parseMetainfo(bytes)
  if (metainfo.infoHash !== infoHash) {
    throw damaged(target.file, `it describes the torrent ${metainfo.infoHash}, not ${infoHash}`)
  }
  return metainfo
}

const damaged = (path: string, why: string): UpdateError =>
  new UpdateError('BUNDLE_INVALID', `${path} is damaged: ${why}`, {
    hint: 'restore it from a backup, or from a machine that seeds it',
  })
