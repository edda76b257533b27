// What is new in a release, as people give it on a command line: the name of a file, or a sentence.
import { lstat } from 'node:fs/promises'
import { UpdateError } from '@updraft/core/errors'
import { readFileBounded } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'

/**
 * A word that is no file is more likely a mistyped file name than all there is to say.
 *
 * Errors: USAGE, naming `option`; LIMIT_EXCEEDED, PERMISSION, IO.
 */
export const readNotes = async (value: string, option: string): Promise<string> => {
  const isFile = await lstat(value).then(
    (stats) => stats.isFile(),
    () => false, // Not a name at all, perhaps because it is a sentence.
  )
  if (isFile) return (await readFileBounded(value, LIMITS.notesLengthBytes)).toString('utf8')
  if (/\s/.test(value.trim())) return value
  throw new UpdateError('USAGE', `${option} ${JSON.stringify(value)} is neither a file nor a sentence`)
}
