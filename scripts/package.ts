// `npm run package`: the programs that ship, into `dist/`: the publisher, the agent and its starter as one file each, and the
// extension as a `.vsix`. A shipped program needs Node 24 and nothing else.
import { chmod, mkdir, readFile, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { formatBytes } from '../core/src/terminal/progress.ts'
import { lazyBuiltins, withoutUnused } from './left-out.ts'
import { packageExtension } from './package-extension.ts'
import { PROJECT } from './steps.ts'

const DIST = join(PROJECT, 'dist')

/** The worker threads of core/src/bundle, as one script; see workers.ts for how a shipped program starts them. */
const bundleWorker = async (): Promise<string> => {
  const { outputFiles } = await build({
    entryPoints: [join(PROJECT, 'core/src/bundle/threads/worker.ts')],
    write: false,
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'cjs',
    target: 'node24',
    legalComments: 'none',
    logLevel: 'warning',
  })
  return outputFiles[0]?.text ?? ''
}

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

/** Bundles one program into `dist/<name>.mjs`, with a start line that explains itself on a Node too old for it. */
export const packageProgram = async (
  name: 'updraft-publisher' | 'updraft-agent',
  outdir = DIST,
  plugins: readonly Plugin[] = [],
): Promise<string> => {
  const folder = name.replace('updraft-', '')
  const outfile = join(outdir, `${name}.mjs`)
  await build({
    entryPoints: [join(PROJECT, folder, 'bin', `${name}.mjs`)],
    outfile,
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    legalComments: 'none',
    logLevel: 'warning',
    plugins: [withoutUnused, lazyBuiltins, ...plugins],
    define: { UPDRAFT_WORKER_SOURCE: JSON.stringify(await bundleWorker()) },
    // Its CommonJS build hides its own imports from bundlers.
    alias: { 'jsonc-parser': 'jsonc-parser/lib/esm/main.js' },
    // CommonJS dependencies expect these names.
    banner: {
      js: [
        "import { createRequire as updraftCreateRequire } from 'node:module'",
        'const require = updraftCreateRequire(import.meta.url)',
        'const __filename = import.meta.filename, __dirname = import.meta.dirname',
      ].join('\n'),
    },
  })
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
