// Runs a bundled test module inside a real extension host, beside the installed extension, and returns what it reports.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { build } from 'esbuild'
import type { Browser } from 'playwright-core'
import type { VscodeServer } from './vscode-server.ts'

export interface HostTestResult {
  readonly name: string
  /** Undefined if it passed. */
  readonly error?: string
}

/** Environment variable that tells the module inside where to leave its report. */
export const REPORT_VARIABLE = 'UPDRAFT_HOST_REPORT'

const HOST_TIMEOUT_MS = 120_000

/**
 * Bundles `entry` (which exports `run(): Promise<void>` and writes a JSON array of HostTestResult), opens it in a window
 * of `server` and waits for its end. The server must have been started with `reportFile` in REPORT_VARIABLE.
 */
export const runInExtensionHost = async (
  browser: Browser,
  server: VscodeServer,
  entry: string,
  reportFile: string,
): Promise<readonly HostTestResult[]> => {
  const folder = join(server.folder, 'host')
  await makeTestExtension(folder, entry)
  const page = await browser.newPage()
  try {
    const exit = new Promise<number>((resolve, reject) => {
      page.once('crash', () => reject(new Error('the window crashed')))
      page.exposeFunction('codeAutomationExit', resolve).catch(reject)
    })
    await page.exposeFunction('codeAutomationLog', () => {})
    await page.goto(urlOf(server.port, folder))
    await Promise.race([exit, page.waitForEvent('close', { timeout: HOST_TIMEOUT_MS })])
    return JSON.parse(await readFile(reportFile, 'utf8')) as readonly HostTestResult[]
  } finally {
    await page.close()
  }
}

/** VS Code runs tests only for an extension under development, so an empty one carries them. */
const makeTestExtension = async (folder: string, entry: string): Promise<void> => {
  await mkdir(folder, { recursive: true })
  const manifest = { name: 'host-tests', publisher: 'updraft', version: '0.0.0', engines: { vscode: '*' } }
  await writeFile(join(folder, 'package.json'), JSON.stringify(manifest))
  await build({
    entryPoints: [entry],
    outfile: join(folder, 'index.js'),
    bundle: true,
    platform: 'node',
    format: 'cjs',
    external: ['vscode'],
    logLevel: 'warning',
  })
}

const urlOf = (port: number, folder: string): string => {
  const remote = `vscode-remote://127.0.0.1:${port}${folder}`
  const payload = [
    ['extensionDevelopmentPath', remote],
    ['extensionTestsPath', `${remote}/index.js`],
    ['skipWelcome', 'true'],
  ]
  return `http://127.0.0.1:${port}/?ew=true&payload=${encodeURIComponent(JSON.stringify(payload))}`
}
