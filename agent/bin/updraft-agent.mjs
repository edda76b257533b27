#!/usr/bin/env node
// Plain JavaScript on purpose: it must run, and explain itself, on a Node too old for the sources.
const [major] = process.versions.node.split('.').map(Number)
if (major < 24) {
  process.stderr.write(
    `updraft-agent: needs Node 24 or newer, this is ${process.version}; see https://nodejs.org, or inside the project: npx updraft-agent\n`,
  )
  process.exit(8) // This machine's matter, and no defect: EXIT_CODES.local.
}
await import('../src/main.ts')
