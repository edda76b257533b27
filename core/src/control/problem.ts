// Errors on the wire, RFC 9457: the agent turns an UpdateError into problem details, and the other end turns them back.
import { ERROR_CODES, type ErrorCode, type ExitName, isUpdateError, messageOf, UpdateError } from '../errors.ts'
import type { Problem } from './api.ts'

/** `code` of a problem that is a defect of the agent itself. */
export const DEFECT = 'DEFECT'

/** Problem details of any error. `status` is for HTTP; without one it follows from the code. */
export const problemOf = (error: unknown, status?: number): Problem => {
  if (!isUpdateError(error)) {
    return {
      type: typeOf(DEFECT),
      title: 'a defect of Updraft',
      status: 500,
      detail: messageOf(error),
      code: DEFECT,
      hint: 'please report it, with what the log of the agent says',
    }
  }
  const { code, message, hint } = error
  return {
    type: typeOf(code),
    title: ERROR_CODES[code].title,
    status: status ?? STATUS_OF_CODE[code] ?? STATUS_OF_EXIT[ERROR_CODES[code].exit],
    detail: message,
    code,
    ...(hint === undefined ? {} : { hint }),
  }
}

/** The error that a problem stands for; one of another vocabulary becomes CONTROL_INVALID. */
export const errorOfProblem = ({ code, detail, hint }: Problem): UpdateError => {
  const options = hint === undefined ? {} : { hint }
  return isErrorCode(code)
    ? new UpdateError(code, detail, options)
    : new UpdateError('CONTROL_INVALID', `the agent failed with ${code}: ${detail}`, options)
}

const isErrorCode = (code: string): code is ErrorCode => Object.hasOwn(ERROR_CODES, code)

const typeOf = (code: string): string => `urn:updraft:error:${code}`

const STATUS_OF_CODE: Partial<Record<ErrorCode, number>> = {
  TOKEN_INVALID: 401,
  PERMISSION: 403,
  LIMIT_EXCEEDED: 413,
}

const STATUS_OF_EXIT: Readonly<Record<ExitName, number>> = {
  ok: 200,
  defect: 500,
  usage: 400,
  input: 404,
  conflict: 409,
  credentials: 403,
  untrusted: 502,
  unreachable: 502,
  local: 500,
  notRunning: 503,
  replaced: 503,
  interrupted: 503,
}
