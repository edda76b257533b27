// Steps that several npm scripts share: running a tool of node_modules, and the checks that need no test runner.
import { spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const PROJECT = dirname(dirname(fileURLToPath(import.meta.url)))

export interface StepResult {
  readonly name: string
  readonly passed: boolean
  readonly output: string
}

/** Runs a JavaScript tool of node_modules on this Node and collects what it prints. */
export const runTool = (name: string, file: string, args: readonly string[], cwd = PROJECT): Promise<StepResult> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(PROJECT, 'node_modules', file), ...args], { cwd })
    let output = ''
    child.stdout.on('data', (data: Buffer) => (output += data))
    child.stderr.on('data', (data: Buffer) => (output += data))
    child.on('error', reject)
    child.on('close', (code) => resolve({ name, passed: code === 0, output }))
  })

export const runChecks = (): Promise<StepResult[]> =>
  Promise.all([
    runTool('lint and format', '@biomejs/biome/bin/biome', ['check', '--error-on-warnings', '.']),
    runTool('types', 'typescript/bin/tsc', ['-p', '.']),
    runTool('types of the page', 'typescript/bin/tsc', ['-p', 'extension/webview']),
  ])
