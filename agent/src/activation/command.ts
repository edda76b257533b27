// Kind `command`: a program of the owner brings a version into use, a package installer for example. It has no shell, little
// environment, and leaves no process behind. A kill may cut it off, and then it runs again: it has to bear that.
import { isAbsolute } from 'node:path'
import { UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import type { Activator, ActivatorContext, VersionInPlace } from '../activation.ts'
import { endLeftovers } from '../hook/leftovers.ts'
import { runHook, wordsOfEnding } from '../hook.ts'
import type { InstallKind } from '../settings/install-kind.ts'
import type { ProgramCommand } from '../settings/program.ts'
import { hookMarkOf } from './hook-mark.ts'

type CommandInstall = Extract<InstallKind, { kind: 'command' }>

export const commandActivator = (
  { command, undo, timeoutSeconds }: CommandInstall,
  context: ActivatorContext,
): Activator => {
  /** `into` is what is in use when it has ended: nothing, on the way back from the first version. */
  const run = (program: ProgramCommand, into: VersionInPlace | undefined, previous: string) =>
    runToEnd(program, {
      ...context,
      timeoutSeconds,
      directory: into?.treePath ?? context.productsDirectory,
      environment: {
        UPDRAFT_PRODUCT: context.product,
        UPDRAFT_VERSION: into?.version ?? '',
        UPDRAFT_PREVIOUS: previous,
        UPDRAFT_TREE: into?.treePath ?? '',
      },
    })
  return {
    assertFits: async () => {},
    activate: (version, previous) => run(command, version, previous ?? ''),
    leave: async (left, back) => {
      if (undo !== undefined) await run(undo, back, left.version)
      else if (back !== undefined) await run(command, back, left.version)
    },
    faultOf: async () => undefined,
  }
}

interface RunOptions extends ActivatorContext {
  readonly directory: string
  readonly environment: Readonly<Record<string, string>>
  readonly timeoutSeconds: number
}

const runToEnd = async (program: ProgramCommand, options: RunOptions): Promise<void> => {
  const { directory, environment, timeoutSeconds, signal } = options
  await endLeftovers(hookMarkOf(options)) // Of an agent that was killed over it: never two at once.
  const ended = await runHook(program, {
    directory,
    environment,
    mark: hookMarkOf(options),
    timeMs: timeoutSeconds * 1_000,
    atTheEnd: 'ask',
    signal,
  })
  const { ending } = ended
  if (ending.kind === 'exit' && ending.code === 0) return
  const words = wordsOfEnding(ended, `still ran after ${timeoutSeconds} s and was ended`)
  const message = `${JSON.stringify(program.join(' '))} ${words}`
  // A program of the owner's that is not there says nothing about the version.
  if (ending.kind === 'not-started' && isAbsolute(program[0])) {
    throw new UpdateError('KIND_UNFIT', message, { hint: 'look at "install" of the product in agent.json' })
  }
  throw new UpdateError('ACTIVATION_FAILED', message.slice(0, LIMITS.controlBodyBytes), {
    hint: 'the version is not tried again on this machine; a newer release is, and this one after: updraft-agent retry',
  })
}
