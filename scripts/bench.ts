// `npm run bench`: runs every benchmark under test/bench, one after the other, so that none disturbs another. Each prints
// its table, or says what this machine lacks for it; with `--json FILE` the same figures are also written there, keyed by benchmark.
import { spawnSync } from 'node:child_process'
import { globSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { EXIT_CODES } from '@updraft/core/errors'
import { optionsOf } from './options.ts'
import { PROJECT } from './steps.ts'

const USAGE = `npm run bench -- [--json FILE]     every benchmark, one after the other

Example: npm run bench -- --json /tmp/figures.json`
const { json } = optionsOf(USAGE, { texts: ['json'] })
const figures: Record<string, unknown> = {}
let failed = 0
for (const file of globSync('test/bench/*.bench.ts', { cwd: PROJECT }).sort()) {
  const name = basename(file, '.bench.ts')
  const figuresFile = join(tmpdir(), `updraft-bench-${process.pid}-${name}.json`)
  process.stdout.write(`\n${name}\n`)
  const { status } = spawnSync(process.execPath, [join(PROJECT, file), '--json', figuresFile], { stdio: 'inherit' })
  if (status === EXIT_CODES.local)
    process.stdout.write(`left out: ${name}\n`) // It has said what it lacks.
  else if (status === 0) figures[name] = JSON.parse(readFileSync(figuresFile, 'utf8'))
  else failed += 1
}
if (json !== undefined) writeFileSync(json, `${JSON.stringify(figures, null, 2)}\n`)
process.exit(failed === 0 ? 0 : 1)
