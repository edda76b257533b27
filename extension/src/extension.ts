// The extension's whole story: connect to the agent ▸ keep its state ▸ show it in views, notifications and problems ▸ offer
// commands. It never starts, stops or changes anything by itself.
import { join } from 'node:path'
import { homeOf } from '@updraft/core/control/home'
import { commands, type ExtensionContext, type LogOutputChannel, Uri, window, workspace } from 'vscode'
import type { AgentProgramOptions } from './agent-program.ts'
import { type Connection, followAgent, type News } from './client.ts'
import { coalesce } from './coalesce.ts'
import { registerCommands } from './commands.ts'
import { placeOf, socketsToTry } from './socket.ts'
import { NOTHING_KNOWN, reduce } from './state.ts'
import { show } from './text.ts'
import { pastUpdateView } from './view-model.ts'
import { createActivityView } from './views/activity.ts'
import { createDashboard } from './views/dashboard.ts'
import { createNotifications } from './views/notifications.ts'
import { createPages } from './views/pages.ts'
import { createProblems } from './views/problems.ts'
import { createProductsView } from './views/products.ts'
import { createStatusBar } from './views/status-bar.ts'
import { createTrustView } from './views/trust.ts'

/** Fast enough to look alive, slow enough that a hundred events a second cost four redraws. */
const DRAW_SPACING_MS = 250

/** When the first line of the bundle ran; the build puts it in front of everything. Older Nodes do not count a thread's time. */
declare const loadingSince: { readonly ms: number; readonly cpu?: NodeJS.CpuUsage }

export const activate = (context: ExtensionContext): void => {
  let model = NOTHING_KNOWN
  const log = window.createOutputChannel('Updraft', { log: true })
  const statusBar = createStatusBar()
  statusBar.draw(model)
  const painted = sinceLoading()

  const sockets = () => socketsToTry(setting('socketPath'), process.env)
  const connection = followAgent({
    sockets,
    onNews: (news) => {
      const { link } = model
      model = reduce(model, news)
      logNews(log, news, link !== model.link)
      drawing.request()
    },
  })
  const products = createProductsView(historyFrom(connection))
  const pages = createPages(() => model)
  const dashboard = createDashboard({
    connection,
    model: () => model,
    folder: Uri.joinPath(context.extensionUri, 'dist'),
  })
  const views = [
    statusBar,
    products,
    createTrustView(),
    createActivityView(),
    createNotifications(context.globalState),
    createProblems(() => settingsFileOf(connection)),
    pages,
  ]
  const drawing = coalesce(() => {
    for (const view of views) view.draw(model)
    void commands.executeCommand('setContext', 'updraft.link', model.link)
    void commands.executeCommand('setContext', 'updraft.hasSources', model.sources.size > 0)
    void commands.executeCommand('setContext', 'updraft.hasProducts', model.products.size > 0)
  }, DRAW_SPACING_MS)
  drawing.request()

  const { version } = context.extension.packageJSON as { readonly version: string }
  context.subscriptions.push(
    log,
    ...views,
    dashboard,
    registerCommands({
      connection,
      log,
      model: () => model,
      pages,
      program: () => programOf(context),
      sockets,
      agentLog: join(context.globalStorageUri.fsPath, 'agent.log'),
      showActivity: dashboard.open,
      version,
    }),
    workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration('updraft.socketPath')) connection.restart()
    }),
    { dispose: () => connection[Symbol.dispose]() },
    { dispose: () => drawing[Symbol.dispose]() },
  )
  log.info(`loaded and activated in ${sinceLoading()}, first paint after ${painted}`)
}

/** `12.3 ms (7.8 ms of this thread)`: on a busy machine the first says little. */
const sinceLoading = (): string => {
  const wall = `${(performance.now() - loadingSince.ms).toFixed(1)} ms`
  if (loadingSince.cpu === undefined) return wall
  const { user, system } = process.threadCpuUsage(loadingSince.cpu)
  return `${wall} (${((user + system) / 1_000).toFixed(1)} ms of this thread)`
}

const setting = (name: string): string => workspace.getConfiguration('updraft').get(name, '')

/** The agent that ships with the extension; VS Code's own runtime is tried first. */
const programOf = (context: ExtensionContext): AgentProgramOptions => ({
  file: context.asAbsolutePath('dist/updraft-agent.mjs'),
  nodePath: setting('nodePath'),
  environment: process.env,
  ownRuntime: process.execPath,
})

const historyFrom = (connection: Connection) => async (product: string) => {
  const { updates } = await connection.ask((client, options) => client.history(product, { ...options, limit: 50 }))
  return updates.map(pastUpdateView)
}

/** Undefined where nobody knows; a path too long for a socket has been told already. */
const settingsFileOf = (connection: Connection): string | undefined => {
  try {
    return placeOf(connection.socketPath() ?? homeOf(process.env).socketPath, process.env)?.settingsFile
  } catch {
    return undefined
  }
}

/** Only what changes the connection is worth a line at the usual level. */
const logNews = (log: LogOutputChannel, news: News, isChange: boolean): void => {
  switch (news.kind) {
    case 'status': {
      const { agent, products, cursor } = news.status
      if (isChange) log.info(show(`connected to agent ${agent.version} on ${news.socketPath}`))
      log.debug(`status: ${products.length} products, cursor ${cursor}`)
      break
    }
    case 'event':
      log.trace(`event ${news.recorded.cursor}: ${news.recorded.event.kind}`)
      break
    case 'lost':
      log.warn(`${news.reason}: ${show(news.message)}`)
  }
}
