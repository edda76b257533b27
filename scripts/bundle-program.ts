// The publisher and the agent as one file each, as they ship: by themselves, and the agent inside the extension as well.
import { join } from 'node:path'
import { build, type Plugin } from 'esbuild'
import { lazyBuiltins, withoutUnused } from './left-out.ts'
import { PROJECT } from './steps.ts'

export type ProgramName = 'updraft-publisher' | 'updraft-agent'

/** One program as one file, with a start line that explains itself on a Node too old for it. `plugins` are of tests. */
export const bundleProgram = async (name: ProgramName, plugins: readonly Plugin[] = []): Promise<Uint8Array> => {
  const folder = name.replace('updraft-', '')
  const { outputFiles } = await build({
    entryPoints: [join(PROJECT, folder, 'bin', `${name}.mjs`)],
    write: false,
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
  return outputFiles[0]?.contents ?? new Uint8Array()
}

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
