// Where the passphrase of key files comes from: a file descriptor, the environment, or a person at a terminal, in this
// order. It is never an argument (other users can see those), never printed and never in a message.
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { type Readable, Writable } from 'node:stream'
import { messageOf, UpdateError } from '@updraft/core/errors'

/** Resolves to undefined if there is none to be had. */
export type PassphraseSource = () => Promise<string | undefined>

/** A terminal, or something that behaves like one. */
export interface Terminal {
  readonly input: Readable & { readonly isTTY?: boolean | undefined }
  readonly output: Writable
}

export interface PassphraseOptions {
  /** What the caller gave: see `givenPassphrase`. */
  readonly given: string | undefined
  /** Undefined when nobody sits there. */
  readonly terminal: Terminal | undefined
  /** What is being opened or made, for the person who is asked. */
  readonly what?: string
}

/**
 * The passphrase in file descriptor `fd` (to its end, or the first line break), else `UPDRAFT_PASSPHRASE`. A descriptor
 * can be read once only.
 *
 * Errors: USAGE for a descriptor that cannot be read.
 */
export const givenPassphrase = (
  fd: number | undefined,
  environment: { readonly UPDRAFT_PASSPHRASE?: string | undefined },
): string | undefined => (fd === undefined ? environment.UPDRAFT_PASSPHRASE : readFirstLine(fd))

/** The same for a file that comes from elsewhere or goes there, which has a passphrase of its own. */
export const givenFilePassphrase = (fd: number | undefined, fromEnvironment: string | undefined): string | undefined =>
  fd === undefined ? fromEnvironment : readFirstLine(fd)

/** For keys that exist. Errors: ABORTED when the person interrupts. */
export const existingPassphrase =
  ({ given, terminal, what = 'the signing keys' }: PassphraseOptions): PassphraseSource =>
  async () =>
    given ?? (terminal === undefined ? undefined : await ask(terminal, `Passphrase of ${what}: `))

/**
 * For keys that are about to be made: a person types it twice.
 *
 * Errors: PASSPHRASE_MISSING if there is none or it is empty, PASSPHRASE_WRONG if the two differ, ABORTED.
 */
export const newPassphrase = async ({ given, terminal, what = 'the new keys' }: PassphraseOptions): Promise<string> => {
  const first = given ?? (terminal === undefined ? undefined : await ask(terminal, `Passphrase for ${what}: `))
  if (first === undefined || first === '') {
    throw new UpdateError('PASSPHRASE_MISSING', `a passphrase is needed for ${what}, and none was given`, {
      hint: 'set UPDRAFT_PASSPHRASE, name a file descriptor with --passphrase-fd, run it on a terminal, or say --no-passphrase',
    })
  }
  if (given === undefined && terminal !== undefined && (await ask(terminal, 'The same again: ')) !== first) {
    throw new UpdateError('PASSPHRASE_WRONG', 'the two passphrases differ; nothing was written')
  }
  return first
}

/** The terminal of this process, if there is one on standard input. Prompts go to standard error. */
export const terminalOfProcess = (): Terminal | undefined =>
  process.stdin.isTTY ? { input: process.stdin, output: process.stderr } : undefined

const readFirstLine = (fd: number): string => {
  try {
    return /^[^\r\n]*/.exec(readFileSync(fd, 'utf8'))?.[0] ?? ''
  } catch (error) {
    throw new UpdateError('USAGE', `no passphrase can be read from file descriptor ${fd}: ${messageOf(error)}`, {
      cause: error,
      hint: 'open it for the command, as in: --passphrase-fd 3 3< FILE',
    })
  }
}

/** Asks without echo. `readline` edits the line as usual, but all that it would draw goes nowhere. */
const ask = async ({ input, output }: Terminal, question: string): Promise<string> => {
  const silence = new Writable({ write: (_chunk, _encoding, done) => done() })
  const lines = createInterface({ input, output: silence, terminal: true })
  const interrupted = new AbortController()
  lines.on('SIGINT', () => interrupted.abort())
  lines.on('close', () => interrupted.abort())
  output.write(question)
  try {
    return await lines.question('', { signal: interrupted.signal })
  } catch (error) {
    throw new UpdateError('ABORTED', 'interrupted while waiting for the passphrase', { cause: error })
  } finally {
    lines.close()
    output.write('\n')
  }
}
