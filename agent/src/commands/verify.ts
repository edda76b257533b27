// `verify FILE|PRODUCT`: proves, without any network, what an exported file or an installed product is.
import { resolve } from 'node:path'
import { homeOf } from '@updraft/core/control/home'
import { EXIT_CODES, UpdateError } from '@updraft/core/errors'
import { readFileIfThere } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'
import { type Product, parseProduct } from '@updraft/core/names'
import type { Command } from 'commander'
import type { Context } from './context.ts'

interface VerifyOptions {
  readonly root?: string
  readonly json?: true
  readonly sarif?: true
}

const HELP = `
Examples:
  $ updraft-agent verify acme                     (what is installed, file by file)
  $ updraft-agent verify ./acme.tar               (what updraft-publisher export wrote)
  $ updraft-agent verify ./acme.tar --root root.json --sarif

A word without dot and slash is a product. Talks to nobody, and changes nothing. Exits 0 only if all is well, and 6 if anything
is not as it was signed, has expired, or is older than what this machine trusted before.`

export const addVerifyCommand = (program: Command, context: Context): void => {
  program
    .command('verify')
    .description('prove offline what a file or an installed product is, and who signed it')
    .argument('<file|product>', 'an exported file, or the name of an installed product')
    .option('--root <file>', 'verify from this root instead of the pinned one')
    .option('--json', 'print one JSON object')
    .option('--sarif', 'print SARIF 2.1.0')
    .addHelpText('after', HELP)
    .action((subject: string, options: VerifyOptions) => verify(subject, options, context))
}

const verify = async (subject: string, options: VerifyOptions, context: Context): Promise<void> => {
  const { environment, now, signal, version, print, setExitCode } = context
  if (options.json && options.sarif) throw new UpdateError('USAGE', 'choose one of --json and --sarif')
  const proving = { home: homeOf(environment), rootBytes: await rootIn(options.root), now: now(), signal }
  // Loaded here, so that the other commands start without it.
  const { proveFile, proveTree } = await import('../proof.ts')
  const product = productNamed(subject)
  const proof = product === undefined ? await proveFile(resolve(subject), proving) : await proveTree(product, proving)
  if (options.sarif) print(JSON.stringify((await import('../proof/sarif.ts')).sarifOfProof(proof, version)))
  else print(options.json ? JSON.stringify(proof) : (await import('../proof/text.ts')).textOfProof(proof))
  if (!proof.isGood) setExitCode(EXIT_CODES.untrusted)
}

/** No product has a dot or a slash in its name. */
const productNamed = (subject: string): Product | undefined =>
  /[./\\]/.test(subject) ? undefined : parseProduct(subject)

const rootIn = async (path: string | undefined): Promise<Buffer | undefined> => {
  if (path === undefined) return undefined
  const bytes = await readFileIfThere(path, LIMITS.rootLengthBytes)
  if (bytes === undefined) throw new UpdateError('USAGE', `there is no file ${path}`)
  return bytes
}
