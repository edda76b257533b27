#!/usr/bin/env node
// Plain JavaScript on purpose: it must run, and explain itself, on a Node too old for the sources.
const [major] = process.versions.node.split('.').map(Number)
if (major < 24) {
  process.stderr.write(`updraft-starter: needs Node 24 or newer, this is ${process.version}\n`)
  process.exit(1)
}
const { startFromCommandLine } = await import('../src/starter.ts')
try {
  process.exitCode = await startFromCommandLine(process.argv.slice(2))
} catch (error) {
  process.stderr.write(`updraft-starter: ${error.message}\n`)
  process.exitCode = error.code?.startsWith('ERR_PARSE_ARGS') ? 2 : 1
}
