// Reads what was signed from where it is stored, and believes it only as far as the signature goes.
import { hasCode, UpdateError } from '@updraft/core/errors'
import { readFileBounded } from '@updraft/core/files/atomic'
import { isWhole, type StoredTarget } from './releases.ts'

/** Errors: REPOSITORY_INVALID if it is gone or is not what was signed; PERMISSION. */
export const readStored = async (target: StoredTarget): Promise<Buffer> => {
  const bytes = await readFileBounded(target.file, target.lengthBytes).catch((error: unknown) => {
    if (hasCode(error, 'LIMIT_EXCEEDED')) throw damaged(target.file, 'it is longer than what was signed', error)
    throw hasCode(error, 'IO') ? damaged(target.file, 'it cannot be read', error) : error
  })
  if (isWhole(target, bytes)) return bytes
  throw damaged(target.file, 'it is not what was signed')
}

export const damaged = (file: string, why: string, cause?: unknown): UpdateError =>
  new UpdateError('REPOSITORY_INVALID', `${file} is damaged: ${why}`, {
    cause,
    hint: 'restore it from a backup, or from a machine that seeds it',
  })
