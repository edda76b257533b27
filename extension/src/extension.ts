// The extension's whole story: connect to the agent ▸ keep its state ▸ show it in views ▸ offer commands. It never starts,
// stops or changes anything by itself.
import { commands, type ExtensionContext, type LogOutputChannel, window, workspace } from 'vscode'
import { followAgent, type News } from './client.ts'
import { coalesce } from './coalesce.ts'
import { registerCommands } from './commands.ts'
import { socketsToTry } from './socket.ts'
import { NOTHING_KNOWN, reduce } from './state.ts'
import { show } from './text.ts'
import { createProductsView } from './views/products.ts'
import { createStatusBar } from './views/status-bar.ts'

/** Fast enough to look alive, slow enough that a hundred events a second cost four redraws. */
const DRAW_SPACING_MS = 250

export const activate = (context: ExtensionContext): void => {
  const startedMs = performance.now()
  const log = window.createOutputChannel('Updraft', { log: true })
  const statusBar = createStatusBar()
  const products = createProductsView()

  let model = NOTHING_KNOWN
  const drawing = coalesce(() => {
    statusBar.draw(model)
    products.draw(model)
    void commands.executeCommand('setContext', 'updraft.link', model.link)
  }, DRAW_SPACING_MS)
  drawing.request()

  const connection = followAgent({
    sockets: () => socketsToTry(workspace.getConfiguration('updraft').get('socketPath', ''), process.env),
    onNews: (news) => {
      const { link } = model
      model = reduce(model, news)
      logNews(log, news, link !== model.link)
      drawing.request()
    },
  })

  const { version } = context.extension.packageJSON as { readonly version: string }
  context.subscriptions.push(
    log,
    statusBar,
    products,
    registerCommands({ connection, log, model: () => model, version }),
    workspace.onDidChangeConfiguration((change) => {
      if (change.affectsConfiguration('updraft.socketPath')) connection.restart()
    }),
    { dispose: () => connection[Symbol.dispose]() },
    { dispose: () => drawing[Symbol.dispose]() },
  )
  log.info(`activated in ${(performance.now() - startedMs).toFixed(1)} ms`)
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
