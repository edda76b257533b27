// Runs inside the extension host: all tests of this folder, one after the other, and a report of each for the outside.
import { writeFileSync } from 'node:fs'
import type { HostTestResult } from '../../support/extension-host.ts'
import { manifestTests } from './manifest.ts'
import { rowTests } from './rows.ts'
import { statusBarTests } from './status-bar.ts'
import type { HostTests } from './tests.ts'
import { treeTests } from './tree.ts'

export const run = async (): Promise<void> => {
  const all: HostTests = { ...manifestTests, ...rowTests, ...statusBarTests, ...treeTests }
  const results: HostTestResult[] = []
  for (const [name, body] of Object.entries(all)) {
    try {
      await body()
      results.push({ name })
    } catch (error) {
      results.push({ name, error: error instanceof Error ? `${error.message}\n${error.stack}` : String(error) })
    }
  }
  writeFileSync(process.env.UPDRAFT_HOST_REPORT ?? '', JSON.stringify(results))
}
