// What the TUF library's failures mean in our codes. It flattens them into messages, so one table reads the messages; and
// what it does not know by itself (which server, since when) comes from the caller. Anything unknown is untrusted.
import { isUpdateError, messageOf, UpdateError } from '@updraft/core/errors'

/** What was going on when the library gave up. */
export interface FailureContext {
  /** The last file that it was given, such as `3.snapshot.json`. */
  readonly file: string
  /** Where that file came from: a base URL, or the cache. */
  readonly from: string
  /** When the role's file expires, as far as it could be read. */
  expiresOf(role: string): string | undefined
}

interface Row {
  /** Matches the end of the library's message, which may stand in another of its messages. */
  readonly pattern: RegExp
  /** Groups of the match, then where it happened. */
  error(groups: readonly string[], context: FailureContext): UpdateError
}

const REFUSED = 'nothing of it was used; if it stays like this, ask the publisher whether the server was tampered with'

const untrusted = (message: string, hint = REFUSED): UpdateError =>
  new UpdateError('METADATA_UNTRUSTED', message, { hint })
const rollback = (message: string): UpdateError =>
  new UpdateError('METADATA_ROLLBACK', message, {
    hint: 'the server is behind, or replays old files; what was trusted stays in force',
  })

/** Every message of tuf-js 6.0.2 and @tufjs/models 5.0.2 that a repository can cause. Source: their dist folders. */
const TABLE: readonly Row[] = [
  {
    pattern: /(?:Final )?(\S+)\.json is expired$/,
    error: ([role = ''], { from, expiresOf }) =>
      new UpdateError(
        'METADATA_EXPIRED',
        `${role}.json from ${from} has expired on ${expiresOf(role) ?? 'an unknown date'}`,
        {
          hint: "the publisher has to renew it, and to export it again if it came as a file; if the date is not in the past, set this machine's clock",
        },
      ),
  },
  {
    pattern: /New (timestamp|snapshot) version (\d+) is less than current version (\d+)$/,
    error: ([role, offered, trusted], { from }) =>
      rollback(`${role} version ${offered} from ${from} is older than trusted ${trusted}`),
  },
  {
    pattern: /New version (\d+) of (\S+)\.json is less than current version (\d+)$/,
    error: ([offered, role, trusted], { file, from }) =>
      rollback(`${file} from ${from} lists ${role} version ${offered}, which is older than trusted ${trusted}`),
  },
  {
    pattern: /Missing file (\S+) in new snapshot$/,
    error: ([listed], { file, from }) => rollback(`${file} from ${from} no longer lists ${listed}`),
  },
  {
    pattern: /Snapshot version doesn't match timestamp$/,
    error: (_, { file, from }) => untrusted(`${file} from ${from} has another version than the timestamp says`),
  },
  {
    pattern: /Version (\d+) of (\S+) does not match snapshot version (\d+)$/,
    error: ([version, role, listed], { from }) =>
      untrusted(`${role}.json from ${from} has version ${version}, but the snapshot lists ${listed}`),
  },
  {
    pattern: /Expected version (\d+), got (\d+)$/,
    error: ([expected, got], { file, from }) =>
      untrusted(`${file} from ${from} has version ${got} instead of ${expected}`),
  },
  {
    pattern: /(\S+) was signed by (\d+)\/(\d+) keys$/,
    error: ([role, signed, threshold], { file, from }) =>
      untrusted(`${file} from ${from} carries ${signed} of the ${threshold} signatures that role ${role} needs`),
  },
  {
    pattern: /Expected (length|hash) (\S+) but got (\S+)$/,
    error: ([what, expected, got], { file, from }) =>
      untrusted(`${file} from ${from} has ${what} ${got}, but ${expected} was signed`),
  },
  {
    pattern: /Failed to persist metadata \S+ error: (.*)$/s,
    error: ([why = '']) =>
      /ENOSPC|EDQUOT/.test(why)
        ? new UpdateError('DISK_FULL', `cannot write metadata: ${why}`, { hint: 'free some space and try again' })
        : new UpdateError('IO', `cannot write metadata: ${why}`, { hint: 'check the disk; nothing was half-done' }),
  },
]

/** The failure in our words. What is an UpdateError already is returned as it is. */
export const failureOf = (error: unknown, context: FailureContext): UpdateError => {
  if (isUpdateError(error)) return error
  const message = messageOf(error)
  for (const { pattern, error: errorOf } of TABLE) {
    const match = pattern.exec(message)
    if (match !== null) return withCause(errorOf(match.slice(1), context), error)
  }
  return withCause(untrusted(`${context.file} from ${context.from} was refused: ${message}`), error)
}

const withCause = ({ code, message, hint }: UpdateError, cause: unknown): UpdateError =>
  new UpdateError(code, message, { cause, ...(hint === undefined ? {} : { hint }) })
