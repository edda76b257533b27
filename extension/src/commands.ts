// What a person can ask for. A command that makes the agent act is refused in Restricted Mode here as well: VS Code only
// hides it there, and a hidden command can still be called.

import { messageOf } from '@updraft/core/errors'
import { commands, Disposable, env, type LogOutputChannel, l10n, window, workspace } from 'vscode'
import type { Connection } from './client.ts'
import { diagnosticsOf } from './diagnostics.ts'
import type { Model } from './state.ts'
import { show } from './text.ts'
import type { Element } from './views/products.ts'
import { sentence } from './views/words.ts'

export interface CommandsOptions {
  readonly connection: Connection
  readonly log: LogOutputChannel
  readonly model: () => Model
  /** Version of this extension. */
  readonly version: string
}

export const registerCommands = ({ connection, log, model, version }: CommandsOptions): Disposable => {
  /** Runs an action; a failure is told once, with the way to the log. */
  const telling = async (what: string, action: () => Promise<void>): Promise<void> => {
    try {
      await action()
    } catch (error) {
      const message = show(messageOf(error))
      log.error(`${what}: ${message}`)
      const showLog = l10n.t('Show Log')
      const chosen = await window.showErrorMessage(`${what}. ${sentence(message)}.`, showLog)
      if (chosen === showLog) log.show()
    }
  }

  const checkForUpdates = (element?: Element): Promise<void> =>
    telling(l10n.t('Updraft could not check for updates'), async () => {
      if (!workspace.isTrusted) throw new Error(l10n.t('in Restricted Mode the agent is not asked to do anything'))
      const product = element?.kind === 'product' ? element.key : undefined
      await window.withProgress({ location: { viewId: 'updraft.products' } }, () => connection.check(product))
    })

  const copyDiagnostics = (): Promise<void> =>
    telling(l10n.t('Updraft could not copy the diagnostics'), async () => {
      await env.clipboard.writeText(diagnosticsOf(model(), version))
      window.setStatusBarMessage(l10n.t('Updraft: diagnostics copied'), 3_000)
    })

  return Disposable.from(
    commands.registerCommand('updraft.checkForUpdates', checkForUpdates),
    commands.registerCommand('updraft.refresh', () => connection.refresh()),
    commands.registerCommand('updraft.showLog', () => log.show()),
    commands.registerCommand('updraft.copyDiagnostics', copyDiagnostics),
  )
}
