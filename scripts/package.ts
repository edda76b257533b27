// `npm run package`: the three programs that ship, into `dist/`: the publisher and the agent as one file each, and the
// extension as a `.vsix`. A shipped program needs Node 24 and nothing else.
import { chmod, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { formatBytes } from '../core/src/terminal/progress.ts'
import { bundleProgram, type ProgramName } from './bundle-program.ts'
import { packageExtension } from './package-extension.ts'
import { PROJECT } from './steps.ts'

const DIST = join(PROJECT, 'dist')

/** Writes one program as `dist/<name>.mjs`. */
export const packageProgram = async (name: ProgramName, outdir = DIST): Promise<string> => {
  const outfile = join(outdir, `${name}.mjs`)
  await writeFile(outfile, await bundleProgram(name))
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
    await packageExtension(join(DIST, `updraft-${version}.vsix`)),
  ]
  for (const file of files)
    process.stdout.write(`${file.slice(PROJECT.length + 1)}  ${formatBytes((await stat(file)).size)}\n`)
}
