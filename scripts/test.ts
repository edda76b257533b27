// `npm test`: everything, with one closing line. Checks (lint, format, types) and jest (unit, system, VS Code) run side by
// side; arguments go to jest (`npm test -- test/core`). What a machine cannot run is named, and fails in CI.
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ensureDebianPackages } from './debian-packages.ts'
import { PROJECT, runChecks } from './steps.ts'

interface JestReport {
  readonly numPassedTests: number
  readonly numFailedTests: number
  readonly numPendingTests: number
  readonly numRuntimeErrorTestSuites: number
}

const packages = ensureDebianPackages()
if (packages.missing.length > 0) process.stdout.write(`left out: ${packages.missing.join(', ')}: ${packages.why}\n`)

const [checks, jest] = await Promise.all([runChecks(), runJest(process.argv.slice(2))])
for (const { name, passed, output } of checks)
  process.stdout.write(passed ? `passed: ${name}\n` : `\nFAILED: ${name}\n${output}\n`)

const passed = checks.filter((check) => check.passed).length + jest.numPassedTests
const failed = checks.filter((check) => !check.passed).length + jest.numFailedTests + jest.numRuntimeErrorTestSuites
const skipped = jest.numPendingTests
process.stdout.write(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`)

const mayLeaveOut = process.env.CI !== 'true'
process.exit(failed === 0 && passed > checks.length && (mayLeaveOut || skipped === 0) ? 0 : 1)

/** Runs jest on this Node; its own lines go through. A jest that dies without a report counts as one failure. */
async function runJest(args: readonly string[]): Promise<JestReport> {
  const folder = mkdtempSync(join(tmpdir(), 'updraft-jest-'))
  const reportFile = join(folder, 'report.json')
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      const child = spawn(
        process.execPath,
        [
          '--experimental-vm-modules',
          '--disable-warning=ExperimentalWarning',
          join(PROJECT, 'node_modules/jest/bin/jest.js'),
          '--json',
          `--outputFile=${reportFile}`,
          ...args,
        ],
        // With --json the report also goes to standard output; the readable lines are on standard error.
        { cwd: PROJECT, stdio: ['ignore', 'ignore', 'inherit'] },
      )
      child.on('error', reject)
      child.on('exit', resolve)
    })
    const report = JSON.parse(readFileSync(reportFile, 'utf8')) as JestReport
    const silent = code !== 0 && report.numFailedTests === 0 && report.numRuntimeErrorTestSuites === 0
    return silent ? { ...report, numFailedTests: 1 } : report
  } catch (error) {
    process.stdout.write(`jest ended without a report: ${String(error)}\n`)
    return { numPassedTests: 0, numFailedTests: 1, numPendingTests: 0, numRuntimeErrorTestSuites: 0 }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
