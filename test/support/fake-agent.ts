// The agent's whole program with fake parts: what a test starts as a process when it is about the program, not about
// updates. `FAKE_CYCLE` says what a look does: a version is installed, `stuck` waits, `blocked` keeps the event loop for two
// seconds, `lost` closes the store for good, anything else fails.
import { contextOfProcess } from '@updraft/agent/commands/context'
import { runProgram } from '@updraft/agent/program'
import { UpdateError } from '@updraft/core/errors'
import { blocking, failing, fakeParts, installing, losingStore, stuck } from './fake-agent-parts.ts'

const wanted = process.env.FAKE_CYCLE ?? '1.0.0'
const cycle = /^\d/.test(wanted)
  ? installing(wanted)
  : wanted === 'stuck'
    ? stuck(() => process.stderr.write('stuck\n'))
    : wanted === 'blocked'
      ? blocking(2_000, (what) => process.stderr.write(`${what} ${Date.now()}\n`))
      : wanted === 'lost'
        ? losingStore(() => process.stderr.write('lost\n'))
        : failing(new UpdateError('SOURCE_UNREACHABLE', 'nobody is there', { hint: 'try again later' }))

await runProgram(contextOfProcess(fakeParts(cycle)), process.argv)
