// Every failure that a person or a program can meet has a code here, with the exit code it ends a command with.
// A code exists only where a caller acts differently on it. Nothing here decides how an error is shown.

/** Exit codes of both programs. `1` is a defect of ours; everything else tells the caller what kind of thing to change. */
export const EXIT_CODES = {
  ok: 0,
  defect: 1,
  usage: 2,
  input: 3,
  conflict: 4,
  credentials: 5,
  untrusted: 6,
  unreachable: 7,
  local: 8,
  notRunning: 9,
  /** Only an agent that a starter has started: another version of it is in place, and is to be started now. */
  replaced: 10,
  interrupted: 130,
} as const

export type ExitName = keyof typeof EXIT_CODES

/** One row per code: the exit it leads to, and what it means in one line. */
export const ERROR_CODES = {
  USAGE: { exit: 'usage', title: 'an option or argument is missing or malformed' },
  PRODUCT_INVALID: { exit: 'usage', title: 'a product name breaks the grammar' },
  VERSION_INVALID: { exit: 'usage', title: 'a version is not semver 2.0.0' },
  PLATFORM_INVALID: { exit: 'usage', title: 'a platform breaks the grammar' },
  CHANNEL_INVALID: { exit: 'usage', title: 'a channel breaks the grammar' },
  SETTINGS_INVALID: { exit: 'usage', title: 'a settings file cannot be understood' },
  KIND_UNFIT: { exit: 'usage', title: 'a release does not fit the way in which the settings install it' },

  BUILD_MISSING: { exit: 'input', title: 'the build to publish does not exist' },
  BUILD_EMPTY: { exit: 'input', title: 'the build to publish contains no file' },
  BUILD_UNSUPPORTED: { exit: 'input', title: 'the build contains something a release cannot carry' },
  BUILD_CHANGED: { exit: 'input', title: 'the build changed while it was read' },
  REPOSITORY_INVALID: { exit: 'input', title: 'the directory is not a repository, or one is damaged' },
  PRODUCT_UNKNOWN: { exit: 'input', title: 'no such product' },
  RELEASE_UNKNOWN: { exit: 'input', title: 'no such release' },

  RELEASE_YANKED: { exit: 'conflict', title: 'the release was yanked' },
  REPOSITORY_EXISTS: { exit: 'conflict', title: 'there is a repository already' },
  VERSION_NOT_NEWER: { exit: 'conflict', title: 'the version is not newer than the newest release' },
  PORT_IN_USE: { exit: 'conflict', title: 'another program listens on the port' },
  LOCKED: { exit: 'conflict', title: 'another process is working on the same directory' },
  SERVICE_CONFLICT: { exit: 'conflict', title: 'a service file with other content is there already' },
  PLACE_TAKEN: { exit: 'conflict', title: 'something that is not ours stands where a product belongs' },
  CEREMONY_STALE: { exit: 'conflict', title: 'the repository has changed since the ceremony was prepared' },
  TRUST_CONFLICT: { exit: 'conflict', title: 'a different root is pinned for this source' },

  PASSPHRASE_MISSING: { exit: 'credentials', title: 'a key is encrypted and no passphrase was given' },
  PASSPHRASE_WRONG: { exit: 'credentials', title: 'the passphrase does not open the key' },
  TOKEN_INVALID: { exit: 'credentials', title: 'the token of the control API is missing or wrong' },
  KEY_MISSING: { exit: 'credentials', title: 'a signing key is not where it should be' },
  KEY_INVALID: { exit: 'credentials', title: 'a key cannot be used, or it is not clear which one' },
  CERTIFICATE_INVALID: {
    exit: 'credentials',
    title: 'a certificate has expired, or does not fit its key or its issuer',
  },
  SIGNER_FAILED: { exit: 'credentials', title: 'the command that signs failed, hung or answered wrongly' },
  SIGNATURES_MISSING: { exit: 'credentials', title: 'not enough people have signed yet' },

  ROOT_UNKNOWN: { exit: 'untrusted', title: 'no root is pinned for the source, or it is not the expected one' },
  METADATA_UNTRUSTED: { exit: 'untrusted', title: 'metadata is not signed as the trusted root demands' },
  METADATA_ROLLBACK: { exit: 'untrusted', title: 'metadata is older than what was already trusted' },
  METADATA_EXPIRED: { exit: 'untrusted', title: 'metadata has expired' },
  METADATA_POLICY: { exit: 'untrusted', title: 'metadata breaks a rule that we add to TUF' },
  RELEASE_INVALID: { exit: 'untrusted', title: 'the signed description of a release is malformed' },
  BUNDLE_INVALID: { exit: 'untrusted', title: 'a bundle is malformed or does not match what was signed' },
  METAINFO_INVALID: { exit: 'untrusted', title: 'a torrent is malformed or does not match what was signed' },
  EXPORT_INVALID: { exit: 'untrusted', title: 'an exported file is damaged, incomplete, or none at all' },
  CEREMONY_INVALID: {
    exit: 'untrusted',
    title: 'a ceremony file was altered, or carries a signature that is not good',
  },
  IDENTITY_UNTRUSTED: { exit: 'untrusted', title: 'no certificate that this machine demands vouches for who signed' },
  LIMIT_EXCEEDED: { exit: 'untrusted', title: 'something from outside is larger than its limit' },

  SOURCE_UNREACHABLE: { exit: 'unreachable', title: 'the source could not be reached' },
  SWARM_STALLED: { exit: 'unreachable', title: 'no peer and no web seed delivered anything for too long' },

  DISK_FULL: { exit: 'local', title: 'the disk is full' },
  PERMISSION: { exit: 'local', title: 'the operating system denied access' },
  IO: { exit: 'local', title: 'reading or writing failed' },
  HOME_UNSAFE: { exit: 'local', title: "others may write in the agent's folders, or above them" },
  STATE_DAMAGED: { exit: 'local', title: "the agent's own state is damaged" },
  ACTIVATION_FAILED: { exit: 'local', title: 'a version could not be brought into use on this machine' },
  CLOCK_WRONG: { exit: 'local', title: "this machine's clock cannot be right" },
  PROBE_FAILED: { exit: 'local', title: 'a version did not pass its probe on this machine' },

  SERVICE_FAILED: { exit: 'local', title: 'there is no service manager, or it refused' },

  AGENT_NOT_RUNNING: { exit: 'notRunning', title: 'no agent answers on the control socket' },
  AGENT_RUNNING: { exit: 'conflict', title: 'an agent is already running on this home' },
  CONTROL_INVALID: { exit: 'unreachable', title: 'the control API answered something unexpected' },

  ABORTED: { exit: 'interrupted', title: 'the operation was interrupted' },
} as const satisfies Record<string, { exit: ExitName; title: string }>

export type ErrorCode = keyof typeof ERROR_CODES

export interface UpdateErrorOptions {
  readonly cause?: unknown
  /** What the reader can do about it, as a sentence without a full stop. */
  readonly hint?: string
}

/** The only error class of the project. The message is lower case, without a full stop, and carries the value. */
export class UpdateError extends Error {
  override readonly name = 'UpdateError'
  readonly code: ErrorCode
  readonly hint: string | undefined

  constructor(code: ErrorCode, message: string, options: UpdateErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
  }
}

/** True also for errors that crossed a realm (jest, worker threads), where `instanceof` fails. */
export const isUpdateError = (error: unknown): error is UpdateError =>
  Error.isError(error) && error.name === 'UpdateError' && typeof (error as UpdateError).code === 'string'

export const hasCode = (error: unknown, code: ErrorCode): error is UpdateError =>
  isUpdateError(error) && error.code === code

/** The `code` of an error of Node's core (`ENOENT`, …), whatever realm it comes from. */
export const systemCodeOf = (error: unknown): string | undefined => {
  if (typeof error !== 'object' || error === null) return undefined
  const code = (error as { code?: unknown }).code
  return typeof code === 'string' ? code : undefined
}

/**
 * Turns a failure of the file system into an UpdateError; anything else is returned unchanged.
 * Wrap once, where the path has a meaning: `what` says what was being done to it.
 */
export const fromFileSystem = (error: unknown, what: string): unknown => {
  if (isUpdateError(error)) return error
  const systemCode = systemCodeOf(error)
  switch (systemCode) {
    case undefined:
      return error
    case 'ENOSPC':
    case 'EDQUOT':
      return new UpdateError('DISK_FULL', `${what}: no space left on the disk`, {
        cause: error,
        hint: 'free some space and try again; nothing was half-done',
      })
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new UpdateError('PERMISSION', `${what}: ${messageOf(error)}`, { cause: error })
    default:
      return systemCode.startsWith('E')
        ? new UpdateError('IO', `${what}: ${messageOf(error)}`, { cause: error })
        : error
  }
}

export const messageOf = (error: unknown): string => (Error.isError(error) ? error.message : String(error))

export const exitCodeOf = (error: unknown): number =>
  isUpdateError(error) ? EXIT_CODES[ERROR_CODES[error.code].exit] : EXIT_CODES.defect
