// `npm run build:extension`: what the extension ships, in `extension/dist/`: its own code as one file, the page of its
// dashboard, the agent, and the schemas of the settings. Only VS Code's own module stays outside.
import { stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { build } from 'esbuild'
import { settingsJsonSchema } from '../agent/src/settings.ts'
import { makeDirectory, writeFileAtomic } from '../core/src/files/atomic.ts'
import { formatBytes } from '../core/src/terminal/progress.ts'
import { repositorySettingsJsonSchema } from '../publisher/src/repository-settings.ts'
import { bundleProgram } from './bundle-program.ts'
import { PROJECT } from './steps.ts'

export const EXTENSION = join(PROJECT, 'extension')

const DIST = join(EXTENSION, 'dist')

export interface BuiltExtension {
  /** What runs in the extension host. */
  readonly code: string
  /** What runs in the dashboard's page: script and style. */
  readonly page: readonly string[]
  readonly agent: string
  readonly schemas: readonly string[]
}

/** Builds everything, each file in one step, because another build may be packaging the same files. */
export const buildExtension = async (): Promise<BuiltExtension> => {
  await makeDirectory(DIST)
  const [code, page, agent, schemas] = await Promise.all([bundleCode(), bundlePage(), bundleAgent(), writeSchemas()])
  return { code, page, agent, schemas }
}

/**
 * The oldest VS Code runs on Node 20, which has no `Error.isError` yet: the bundle brings its own, because a global one would
 * be seen by every other extension of the same host. It can go when `engines.vscode` is at a VS Code on Node 24.
 */
const bundleCode = async (): Promise<string> => {
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
    charset: 'utf8',
    define: { 'Error.isError': 'isErrorOfAnyRealm' },
    banner: { js: BANNER },
  })
  return write('extension.cjs', outputFiles[0]?.contents)
}

const BANNER = [
  'const loadingSince = { ms: performance.now(), cpu: process.threadCpuUsage?.() };',
  "const isErrorOfAnyRealm = Error.isError ?? require('node:util').types.isNativeError;",
].join('\n')

const bundlePage = async (): Promise<readonly string[]> => {
  const { outputFiles } = await build({
    entryPoints: [join(EXTENSION, 'webview', 'dashboard.ts'), join(EXTENSION, 'webview', 'dashboard.css')],
    outdir: DIST,
    write: false,
    bundle: true,
    minify: true,
    platform: 'browser',
    format: 'iife',
    target: 'chrome128',
    legalComments: 'eof',
    logLevel: 'warning',
  })
  return Promise.all(outputFiles.map(({ path, contents }) => write(basename(path), contents)))
}

/** The same single file that ships by itself. */
const bundleAgent = async (): Promise<string> => write('updraft-agent.mjs', await bundleProgram('updraft-agent'))

/** The settings of the agent, and of a repository: any other file of that common name is left alone. */
const writeSchemas = (): Promise<readonly string[]> => {
  const repository = repositorySettingsJsonSchema()
  const isRepository = { properties: { schema: { const: 1 } }, required: ['schema', 'expiryDays'] }
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema, on an object that nobody waits for.
  const schemas = { agent: settingsJsonSchema(), repository: { if: isRepository, then: repository } }
  return Promise.all(
    Object.entries(schemas).map(([name, schema]) => write(`${name}.schema.json`, Buffer.from(JSON.stringify(schema)))),
  )
}

const write = async (name: string, contents: Uint8Array = new Uint8Array()): Promise<string> => {
  const file = join(DIST, name)
  await writeFileAtomic(file, contents)
  return file
}

if (import.meta.main) {
  const { code, page, agent, schemas } = await buildExtension()
  for (const file of [code, ...page, agent, ...schemas]) {
    process.stdout.write(`${file.slice(PROJECT.length + 1)}  ${formatBytes((await stat(file)).size)}\n`)
  }
}
