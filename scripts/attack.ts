// `npm run test:attack`: runs the attack tests and prints one table of what was tried, what the agent did, what was left on
// its disk, and whether it held. Tests of single rooms that stand for further rows are listed below it by their names.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { table } from '../core/src/terminal/plain-text.ts'
import { ATTACK_ROWS_FILE, readAttackRows } from './attack-rows.ts'
import { PROJECT } from './steps.ts'

/** Attacks against one room or one program, with no row of their own; each test's name is the rule that it attacks. */
const ELSEWHERE = [
  'test/agent/refresh-attacks.test.ts',
  'test/agent/refresh-cache.test.ts',
  'test/agent/refresh-rotation.test.ts',
  'test/agent/refresh-urgent.test.ts',
  'test/agent/control.test.ts',
  'test/agent/home-guard.test.ts',
  'test/agent/identity.test.ts',
  'test/agent/remembered-bans.test.ts',
  'test/core/archive/export-file.test.ts',
  'test/core/bundle/paths.test.ts',
  'test/core/bundle/tree.test.ts',
  'test/core/swarm/hostile.test.ts',
  'test/core/swarm/policy.test.ts',
  'test/core/swarm/wire-reader.test.ts',
  'test/core/swarm/dht-socket.test.ts',
  'test/core/trust/holders.test.ts',
  'test/core/trust/policy.test.ts',
  'test/extension/text.test.ts',
  'test/fuzz/fuzz.test.ts',
  'test/publisher/ceremony.test.ts',
  'test/publisher/publish-refused.test.ts',
  'test/system/control-abuse.test.ts',
  'test/system/stolen-key.test.ts',
  'test/system/tampered-repository.test.ts',
  'test/system/wrong-root.test.ts',
]

interface JestReport {
  readonly testResults: readonly {
    readonly name: string
    readonly assertionResults: readonly { readonly status: string }[]
    readonly message: string
  }[]
}

const folder = mkdtempSync(join(tmpdir(), 'updraft-attack-table-'))
const rowsFile = join(folder, 'rows.jsonl')
const reportFile = join(folder, 'report.json')
let isHeld = false
try {
  const { status } = spawnSync(
    process.execPath,
    [
      '--experimental-vm-modules',
      '--disable-warning=ExperimentalWarning',
      join(PROJECT, 'node_modules/jest/bin/jest.js'),
      '--json',
      `--outputFile=${reportFile}`,
      'test/attack/',
      ...ELSEWHERE,
    ],
    { cwd: PROJECT, stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, [ATTACK_ROWS_FILE]: rowsFile } },
  )
  const rows = readAttackRows(rowsFile)
  const { testResults } = JSON.parse(readFileSync(reportFile, 'utf8')) as JestReport
  const header = ['attack', 'tried', 'the agent did', 'left on disk', 'held']
  const cells = rows.map(({ attack, tried, did, left, held }) => [attack, tried, did, left, held ? 'yes' : 'NO'])
  process.stdout.write(`\n${table(header, cells)}\n`)
  process.stdout.write(`\n${table(['attacked elsewhere', 'passed', 'held'], elsewhere(testResults))}\n`)
  const lost = rows.filter(({ held }) => !held).length
  process.stdout.write(`\n${rows.length - lost} of ${rows.length} attacks held\n`)
  isHeld = status === 0 && rows.length > 0 && lost === 0
} finally {
  rmSync(folder, { recursive: true })
}
process.exit(isHeld ? 0 : 1)

function elsewhere(results: JestReport['testResults']): readonly (readonly string[])[] {
  return results
    .map(({ name, assertionResults, message }) => {
      const passed = assertionResults.filter(({ status }) => status === 'passed').length
      const isSound = passed > 0 && passed === assertionResults.length && message === ''
      return [relative(PROJECT, name), `${passed} of ${assertionResults.length}`, isSound ? 'yes' : 'NO']
    })
    .filter(([file = '']) => ELSEWHERE.includes(file))
    .sort(([a = ''], [b = '']) => a.localeCompare(b))
}
