// `npm run build:extension`: the extension as one file, `extension/dist/extension.cjs`. Only VS Code's own module stays
// outside of it.
import { stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { build } from 'esbuild'
import { makeDirectory, writeFileAtomic } from '../core/src/files/atomic.ts'
import { formatBytes } from '../core/src/terminal/progress.ts'
import { PROJECT } from './steps.ts'

export const EXTENSION = join(PROJECT, 'extension')

/**
 * Bundles the extension and returns the file.
 *
 * The oldest VS Code runs on Node 20, which has no `Error.isError` yet: the bundle brings its own, because a global one would
 * be seen by every other extension of the same host. It can go when `engines.vscode` is at a VS Code on Node 24.
 */
export const buildExtension = async (): Promise<string> => {
  const outfile = join(EXTENSION, 'dist', 'extension.cjs')
  const { outputFiles } = await build({
    entryPoints: [join(EXTENSION, 'src', 'extension.ts')],
    write: false,
    bundle: true,
    minify: true,
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    external: ['vscode'],
    legalComments: 'none',
    logLevel: 'warning',
    define: { 'Error.isError': 'isErrorOfAnyRealm' },
    banner: { js: "const isErrorOfAnyRealm = Error.isError ?? require('node:util').types.isNativeError;" },
  })
  // In one step, because another build may be packaging the same file.
  await makeDirectory(dirname(outfile))
  for (const { contents } of outputFiles) await writeFileAtomic(outfile, contents)
  return outfile
}

if (import.meta.main) {
  const file = await buildExtension()
  process.stdout.write(`${file.slice(PROJECT.length + 1)}  ${formatBytes((await stat(file)).size)}\n`)
}
