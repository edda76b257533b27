// Asks a person whether something is to be done. Whoever is not there has to have said so before.
import { createInterface } from 'node:readline/promises'
import { UpdateError } from '@updraft/core/errors'
import type { Terminal } from './passphrase.ts'

/** Errors: USAGE if nobody can be asked, ABORTED for any answer but yes. */
export const confirm = async (question: string, terminal: Terminal | undefined): Promise<void> => {
  if (terminal === undefined) {
    throw new UpdateError('USAGE', 'nobody is here to say yes', { hint: 'say it with --yes, after you have looked' })
  }
  const lines = createInterface({ input: terminal.input, output: terminal.output, terminal: true })
  const interrupted = new AbortController()
  lines.on('SIGINT', () => interrupted.abort())
  lines.on('close', () => interrupted.abort())
  try {
    const answer = await lines.question(`${question} (yes or no) `, { signal: interrupted.signal })
    if (answer.trim().toLowerCase() === 'yes') return
  } catch (error) {
    throw new UpdateError('ABORTED', 'interrupted before it was confirmed; nothing was done', { cause: error })
  } finally {
    lines.close()
  }
  throw new UpdateError('ABORTED', 'it was not confirmed; nothing was done')
}
