// The publisher's program: reads the command line, runs one command, and turns whatever it throws into an exit code.
import { UpdateError } from '@updraft/core/errors'
import { exitCodeOfUsage, printFailure } from '@updraft/core/terminal/failure'
import { CommanderError } from 'commander'
import { terminalOfProcess } from './passphrase.ts'
import { NAME, publisherProgram } from './program.ts'

const stopped = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  // Once: whoever asks a second time means it.
  process.once(signal, () => stopped.abort(new UpdateError('ABORTED', `stopped by ${signal}`)))
}

const context = {
  environment: process.env,
  terminal: terminalOfProcess(),
  now: () => new Date(),
  signal: stopped.signal,
  print: (text: string) => process.stdout.write(`${text}\n`),
}

try {
  await (await publisherProgram(context, process.argv[2])).parseAsync()
} catch (error) {
  process.exitCode =
    error instanceof CommanderError
      ? exitCodeOfUsage(error.exitCode)
      : printFailure(NAME, error, process.argv.includes('--json'))
}
