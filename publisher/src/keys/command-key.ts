// Keys behind a program: what speaks to a hardware module, a card or a key service. The program is given the bytes on its
// standard input and answers with the signature on its standard output; nothing that it answers is used unverified.
import { type ChildProcess, spawn } from 'node:child_process'
import { lstat } from 'node:fs/promises'
import { join } from 'node:path'
import { messageOf, systemCodeOf, UpdateError } from '@updraft/core/errors'
import { makeDirectory, readFileIfThere, writeFileAtomic } from '@updraft/core/files/atomic'
import { keyIdOf, verifySignature } from '@updraft/core/trust/keys'
import { z } from 'zod'
import { keyFileName, keyFiles, readFingerprints } from './keys-directory.ts'
import { KEY_FILE_MAX_BYTES, type PublicKey, publicPemOf } from './public-key.ts'
import type { KeySource, Signer } from './signer.ts'

const COMMAND_SCHEMA = 1
/** A person may have to touch a token; nobody takes ten minutes. */
const TIMEOUT_SECONDS = 60
const TIMEOUT_SECONDS_MAX = 600
/** RSA with 8,192 bits signs with 1 KiB. */
const ANSWER_MAX_BYTES = 64 * 1024
const ERROR_SHOWN = 300

const commandFile = z.strictObject({
  schema: z.literal(COMMAND_SCHEMA),
  publicKey: z.strictObject({
    keytype: z.string(),
    scheme: z.string(),
    keyval: z.strictObject({ public: z.string() }),
  }),
  /** Program and arguments; no shell is involved. */
  command: z.tuple([z.string().min(1)], z.string()).readonly(),
  timeoutSeconds: z.number().positive().max(TIMEOUT_SECONDS_MAX).default(TIMEOUT_SECONDS),
})

export type KeyCommand = Readonly<z.output<typeof commandFile>>

export interface CommandOptions {
  readonly environment?: Readonly<Record<string, string | undefined>>
  readonly signal?: AbortSignal | undefined
}

/** What the command is tried with: no metadata, so that the signature is good for nothing. */
const TRIAL = Buffer.from('updraft: this is only to see whether the signer works')

/**
 * Notes in `directory` that `command` signs for `key`, after it has done so once.
 *
 * Errors: SIGNER_FAILED, USAGE for a time limit out of range, ABORTED, DISK_FULL, PERMISSION, IO.
 */
export const connectCommand = async (
  directory: string,
  name: string,
  { keyId, publicKey }: PublicKey,
  { command, timeoutSeconds }: Pick<KeyCommand, 'command'> & { readonly timeoutSeconds?: number | undefined },
  options: CommandOptions = {},
): Promise<string> => {
  const parsed = commandFile.safeParse({ schema: COMMAND_SCHEMA, publicKey, command, timeoutSeconds })
  if (!parsed.success) {
    throw new UpdateError(
      'USAGE',
      `--timeout ${timeoutSeconds} is not a number of seconds up to ${TIMEOUT_SECONDS_MAX}`,
    )
  }
  await commandSigner(parsed.data, options).sign(TRIAL)
  await makeDirectory(directory, 0o700)
  const path = join(directory, keyFileName(name, keyId, 'command.json'))
  await writeFileAtomic(path, `${JSON.stringify(parsed.data, undefined, 2)}\n`, { mode: 0o600 })
  await writeFileAtomic(join(directory, keyFileName(name, keyId, 'pub')), publicPemOf(publicKey))
  return path
}

/** The keys in `directory` that commands sign with. */
export const commandKeys = (directory: string, options: CommandOptions = {}): KeySource => ({
  description: directory,
  rootFingerprints: () => readFingerprints(directory),
  open: async (keyId) => {
    const [name] = await keyFiles(directory, keyId, 'command.json')
    const found = name === undefined ? undefined : await readCommand(join(directory, name))
    if (name === undefined || found === undefined) return undefined
    if (keyIdOf(found.publicKey) !== keyId) {
      throw new UpdateError(
        'KEY_MISSING',
        `${join(directory, name)} signs with ${keyIdOf(found.publicKey)}, not ${keyId}`,
      )
    }
    return commandSigner(found, options)
  },
})

/** A signer that runs the command for each signature. */
export const commandSigner = ({ publicKey, command, timeoutSeconds }: KeyCommand, options: CommandOptions): Signer => {
  const keyId = keyIdOf(publicKey)
  return {
    keyId,
    publicKey,
    sign: async (bytes) => {
      const signature = (await run(command, bytes, timeoutSeconds * 1_000, options)).toString('hex')
      if (verifySignature(publicKey, bytes, signature)) return signature
      throw failed(command, `answered with ${signature.length / 2} bytes that are no signature of the key ${keyId}`, {
        hint: `the answer has to be the signature alone, in binary, as the scheme ${publicKey.scheme} has it`,
      })
    },
  }
}

const readCommand = async (path: string): Promise<KeyCommand | undefined> => {
  const file = await readFileIfThere(path, KEY_FILE_MAX_BYTES)
  if (file === undefined) return undefined
  // Whoever can write it decides what runs here, as the one who signs.
  if (process.platform !== 'win32' && ((await lstat(path)).mode & 0o022) !== 0) {
    throw new UpdateError('KEY_INVALID', `${path} can be written by others, so its command is not run`, {
      hint: `look at what it says, then: chmod go-w ${path}`,
    })
  }
  try {
    return commandFile.parse(JSON.parse(file.toString('utf8')))
  } catch (error) {
    throw new UpdateError('KEY_INVALID', `${path} does not say how to sign: ${messageOf(error)}`, { cause: error })
  }
}

const run = async (
  [program, ...args]: KeyCommand['command'],
  bytes: Uint8Array,
  timeoutMs: number,
  { environment = process.env, signal }: CommandOptions,
): Promise<Buffer> => {
  signal?.throwIfAborted()
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: withoutPassphrases(environment),
    detached: true, // A group of its own, so that what it starts ends with it.
  })
  const answer: Buffer[] = []
  let [length, said] = [0, '']
  let why: UpdateError | undefined
  const give = (error: UpdateError) => {
    why ??= error
    endGroup(child)
  }
  const abort = () =>
    give(signal?.reason instanceof Error ? (signal.reason as UpdateError) : failed([program], 'stopped'))
  signal?.addEventListener('abort', abort)
  const timer = setTimeout(
    () => give(failed([program], `gave no signature within ${timeoutMs / 1_000} seconds`)),
    timeoutMs,
  )
  child.stdout.on('data', (data: Buffer) => {
    length += data.length
    if (length > ANSWER_MAX_BYTES) give(failed([program], `answered with more than ${ANSWER_MAX_BYTES} bytes`))
    else answer.push(data)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-ANSWER_MAX_BYTES)
  })
  child.stdin.on('error', () => {}) // A program that reads nothing is judged by its answer.
  child.stdin.end(bytes)
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', reject)
      child.on('close', resolve)
    })
    if (why !== undefined) throw why
    if (code !== 0) throw failed([program], `ended with ${code ?? 'a signal'}${lastWords(said)}`)
    return Buffer.concat(answer)
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT' && systemCodeOf(error) !== 'EACCES') throw error
    throw failed([program], `cannot be run: ${messageOf(error)}`, { cause: error })
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', abort)
  }
}

/** The program may have a card's own pass phrase in its environment; ours is none of its business. */
const withoutPassphrases = (environment: Readonly<Record<string, string | undefined>>): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(environment).filter(([name]) => !/^UPDRAFT_.*PASSPHRASE$/.test(name)))

const endGroup = ({ pid, stdout, stderr }: ChildProcess): void => {
  // What left the group may hold these open for ever.
  stdout?.destroy()
  stderr?.destroy()
  if (pid === undefined) return
  try {
    process.kill(process.platform === 'win32' ? pid : -pid, 'SIGKILL')
  } catch {
    // It has ended, and took its group with it.
  }
}

const lastWords = (said: string): string => {
  const lines = said
    .trim()
    .split('\n')
    .slice(-3)
    .join('; ')
    .replaceAll(/\p{Cc}/gu, ' ')
    .slice(-ERROR_SHOWN)
  return lines === '' ? '' : `: ${lines}`
}

const failed = (
  [program = '']: readonly string[],
  what: string,
  options: { readonly cause?: unknown; readonly hint?: string } = {},
): UpdateError =>
  new UpdateError('SIGNER_FAILED', `the signer ${program} ${what}`, {
    hint: 'run it by hand with some bytes on its standard input; nothing was signed',
    ...options,
  })
