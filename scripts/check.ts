// `npm run check`: lint, format and types, side by side. Prints what failed and exits 1 if anything did.
import { runChecks } from './steps.ts'

const failed = (await runChecks()).filter((check) => !check.passed)
for (const { name, output } of failed) process.stdout.write(`\n${name}\n${output}\n`)
process.exit(failed.length === 0 ? 0 : 1)
