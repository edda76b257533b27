// What a person can ask for. A command that makes the agent act, or starts one, is refused in Restricted Mode here as well:
// VS Code only hides it there, and a hidden command can still be called.
import { isUpdateError, messageOf } from '@updraft/core/errors'
import { commands, Disposable, type LogOutputChannel, l10n, window, workspace } from 'vscode'
import type { AgentProgramOptions } from './agent-program.ts'
import type { Connection } from './client.ts'
import { agentCommands } from './commands/agent.ts'
import { productCommands } from './commands/product.ts'
import { readingCommands } from './commands/reading.ts'
import type { Model } from './state.ts'
import { show } from './text.ts'
import type { Pages } from './views/pages.ts'
import type { About } from './views/row.ts'
import { sentence } from './views/words.ts'

export interface CommandContext {
  readonly connection: Connection
  readonly log: LogOutputChannel
  readonly model: () => Model
  readonly pages: Pages
  readonly program: () => AgentProgramOptions
  /** Where an agent is looked for, in this order. Errors: USAGE. */
  readonly sockets: () => readonly string[]
  /** Where the agent that is started here writes its log. */
  readonly agentLog: string
  readonly showActivity: () => void
  /** Version of this extension. */
  readonly version: string
  /** Runs what makes an agent act: not in Restricted Mode. */
  readonly act: (failure: string, action: () => Promise<void>) => Promise<void>
  /** Runs an action; a failure is told once, with the way to the log. */
  readonly tell: (failure: string, action: () => Promise<void>) => Promise<void>
}

/** What a menu hands over: an element of a view, or nothing when it comes from the palette. */
export type Target = { readonly about?: About | undefined } | undefined

export type Commands = Readonly<Record<string, (target?: Target) => Promise<void>>>

export const registerCommands = (options: Omit<CommandContext, 'act' | 'tell'>): Disposable => {
  const { log } = options
  const tell = async (failure: string, action: () => Promise<void>): Promise<void> => {
    try {
      await action()
    } catch (error) {
      const [message, hint] = [show(messageOf(error)), show((isUpdateError(error) ? error.hint : undefined) ?? '')]
      log.error(`${failure}: ${message}`)
      const showLog = l10n.t('Show Log')
      const sentences = [failure, sentence(message), ...(hint === '' ? [] : [sentence(hint)])]
      const chosen = await window.showErrorMessage(`${sentences.join('. ')}.`, showLog)
      if (chosen === showLog) log.show()
    }
  }
  const act = (failure: string, action: () => Promise<void>): Promise<void> =>
    tell(failure, async () => {
      if (!workspace.isTrusted) throw new Error(l10n.t('in Restricted Mode the agent is not asked to do anything'))
      await action()
    })

  const context: CommandContext = { ...options, act, tell }
  const all = { ...productCommands(context), ...readingCommands(context), ...agentCommands(context) }
  return Disposable.from(
    ...Object.entries(all).map(([name, run]) =>
      commands.registerCommand(`updraft.${name}`, (target?: unknown) => run(targetOf(target))),
    ),
  )
}

/** Keys and other extensions may hand over anything. */
const targetOf = (value: unknown): Target =>
  typeof value === 'object' && value !== null && 'about' in value ? (value as Target) : undefined
