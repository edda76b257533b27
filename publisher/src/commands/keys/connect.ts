// `keys connect NAME -- COMMAND`: lets a program sign, in front of a hardware module, a card or a key service.
import { UpdateError } from '@updraft/core/errors'
import type { Command } from 'commander'
import type { Context } from '../../context.ts'
import { connectCommand } from '../../keys/command-key.ts'
import { parseKeyName } from '../../keys/keys-directory.ts'
import { kindOfKey, readPublicKey } from '../../keys/public-key.ts'
import { addFolderOptions, type FolderOptions, keysInFolder } from '../key-options.ts'

interface ConnectOptions extends FolderOptions {
  readonly publicKey: string
  readonly timeout?: number
  readonly json?: true
}

const HELP = `
Examples:
  $ updraft-publisher keys connect acme --repo r --public-key acme.pub -- \\
      pkcs11-tool --module /usr/lib/x86_64-linux-gnu/opensc-pkcs11.so --login --pin env:PIN --label release \\
      --sign --mechanism ECDSA-SHA256 --signature-format openssl
  $ updraft-publisher keys connect acme --repo r --public-key acme.pub -- \\
      sh -c 'openssl dgst -sha256 -binary | pkcs11-tool --module /usr/lib/softhsm/libsofthsm2.so --login --pin env:PIN \\
      --label release --sign --mechanism ECDSA --signature-format openssl'

The command gets the bytes on its standard input and answers with the signature, in binary, on its standard output: Ed25519 over
the bytes; ECDSA over their SHA-256 in DER; RSA-PSS over their SHA-256 with a salt of 32 bytes. It is tried once, and runs without a
shell; what it answers is verified each time. It does not get to see passphrases of this program.`

export const addConnectCommand = (keys: Command, context: Context): void => {
  const command = keys
    .command('connect')
    .description('let a command sign: for hardware modules, cards and key services')
    .argument('<name>', 'what the key is called here')
    .argument('<command...>', 'the program and its arguments, after --')
    .requiredOption('--public-key <file>', 'the public half, in PEM')
    .option('--timeout <seconds>', 'how long it may take to sign (default: 60)', parseSeconds)
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', HELP)
  addFolderOptions(command).action(async (name: string, [program = '', ...args]: string[], options: ConnectOptions) => {
    const { directory } = keysInFolder(options, context)
    const { environment, signal } = context
    const key = await readPublicKey(options.publicKey)
    const request = { command: [program, ...args] as [string, ...string[]], timeoutSeconds: options.timeout }
    const path = await connectCommand(directory, parseKeyName(name), key, request, { environment, signal })
    const kind = kindOfKey(key.publicKey)
    context.print(
      options.json
        ? JSON.stringify({ name, keyId: key.keyId, kind, path })
        : `${program} signs with the ${kind} key ${key.keyId}\n  ${path}`,
    )
  })
}

const parseSeconds = (value: string): number => {
  const seconds = Number(value)
  if (Number.isFinite(seconds) && seconds > 0) return seconds
  throw new UpdateError('USAGE', `--timeout ${JSON.stringify(value)} is not a number of seconds`)
}
