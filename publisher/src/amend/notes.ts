// What a release's notes say, changed after it was published. Pure.
import { UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import type { Amendment } from '../amend.ts'

/** A yanked release may have new notes as well: they may say why. Undefined takes them away. Errors: USAGE. */
export const notes = (text: string | undefined): Amendment => {
  if (text !== undefined && (text.trim() === '' || Buffer.byteLength(text) > LIMITS.notesLengthBytes)) {
    throw new UpdateError('USAGE', `notes have 1 to ${LIMITS.notesLengthBytes} bytes, not ${Buffer.byteLength(text)}`)
  }
  return (payload) => {
    const { notes: _, ...others } = payload
    return text === undefined ? others : { ...others, notes: text }
  }
}
