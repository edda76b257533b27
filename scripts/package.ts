// `npm run package`: the programs that ship, into `dist/`: the publisher, the agent and its starter as one file each, and the
// extension as a `.vsix`. A shipped program needs Node 24 and nothing else.
import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { formatBytes } from '../core/src/terminal/progress.ts'
import { bundleProgram, type ProgramName } from './bundle-program.ts'
import { packageExtension } from './package-extension.ts'
import { PROJECT } from './steps.ts'

const DIST = join(PROJECT, 'dist')

/** The starter as it ships: small, and readable by whoever has to trust it. */
export const packageStarter = async (outdir = DIST): Promise<string> => {
  const outfile = join(outdir, 'updraft-starter.mjs')
  await build({
    entryPoints: [join(PROJECT, 'agent/bin/updraft-starter.mjs')],
    outfile,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    logLevel: 'warning',
  })
  await chmod(outfile, 0o755)
  return outfile
}

/** Writes one program as `dist/<name>.mjs`. */
export const packageProgram = async (
  name: ProgramName,
  outdir = DIST,
  plugins: readonly Plugin[] = [],
): Promise<string> => {
  const outfile = join(outdir, `${name}.mjs`)
  await mkdir(outdir, { recursive: true })
  await writeFile(outfile, await bundleProgram(name, plugins))
  await chmod(outfile, 0o755)
  return outfile
}

if (import.meta.main) {
  await rm(DIST, { recursive: true, force: true })
  await mkdir(DIST, { recursive: true })
  const { version } = JSON.parse(await readFile(join(PROJECT, 'package.json'), 'utf8')) as { version: string }
  const files = [
    await packageProgram('updraft-publisher'),
    await packageProgram('updraft-agent'),
    await packageStarter(),
    await packageExtension(join(DIST, `updraft-${version}.vsix`)),
  ]
  for (const file of files)
    process.stdout.write(`${file.slice(PROJECT.length + 1)}  ${formatBytes((await stat(file)).size)}\n`)
}
