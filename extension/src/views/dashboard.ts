// The dashboard: charts of what moves, in a page that opens only when it is asked for. It asks the agent once a second while
// it can be seen, and not at all otherwise. The page may run its own script and nothing else, and gets numbers and cleaned text.
import { randomBytes } from 'node:crypto'
import type { Transfer } from '@updraft/core/control/api'
import { type Disposable, env, l10n, Uri, ViewColumn, type Webview, type WebviewPanel, window } from 'vscode'
import { peersIn, type Reading, readingOf, type Sample, sampleBetween, withSample } from '../activity.ts'
import type { Connection } from '../client.ts'
import type { Model } from '../state.ts'
import { show } from '../text.ts'
import { type DashboardWords, isFromPage, type Part, type ToPage, type TransferRow } from './dashboard-messages.ts'
import { createFleetLooks } from './fleet-looks.ts'
import { bytes, share } from './words.ts'

const ASK_EVERY_MS = 1_000

export interface Dashboard extends Disposable {
  readonly open: () => void
}

export interface DashboardOptions {
  readonly connection: Connection
  readonly model: () => Model
  /** The folder of the bundled page. */
  readonly folder: Uri
}

export const createDashboard = ({ connection, model, folder }: DashboardOptions): Dashboard => {
  let panel: WebviewPanel | undefined
  let samples: readonly Sample[] = []
  let reading: Reading | undefined
  let timer: NodeJS.Timeout | undefined

  const post = (message: ToPage): void => void panel?.webview.postMessage(message)
  const fleet = createFleetLooks(model, post)

  const look = async (): Promise<void> => {
    try {
      const { transfers } = await connection.ask((client, options) => client.transfers(options))
      const next = readingOf(transfers, Date.now())
      const sample = reading === undefined ? undefined : sampleBetween(reading, next)
      reading = next
      if (sample !== undefined) {
        samples = withSample(samples, sample)
        post({ kind: 'sample', sample })
      }
      post(nowOf(model(), transfers))
    } catch {
      reading = undefined // No agent, or one that cannot say this: the views say what is wrong, and the lines have a gap.
      post(nowOf(model(), []))
    }
  }
  const keepLooking = async (): Promise<void> => {
    await look()
    if (panel?.visible === true) timer = setTimeout(() => void keepLooking(), ASK_EVERY_MS)
  }
  const stop = (): void => {
    clearTimeout(timer)
    fleet.stop()
    reading = undefined
  }

  const open = (): void => {
    if (panel !== undefined) {
      panel.reveal()
      return
    }
    panel = window.createWebviewPanel('updraft.dashboard', l10n.t('Updraft Activity'), ViewColumn.Active, {
      enableScripts: true,
      localResourceRoots: [folder],
    })
    panel.webview.onDidReceiveMessage((message: unknown) => {
      if (!isFromPage(message)) return
      post({ kind: 'start', language: env.language, words: wordsOfPage(), samples })
      stop()
      fleet.start()
      void keepLooking()
    })
    panel.onDidChangeViewState(({ webviewPanel }) => {
      if (!webviewPanel.visible) stop() // Shown again, the page is loaded anew and says that it is ready.
    })
    panel.onDidDispose(() => {
      stop()
      panel = undefined
    })
    panel.webview.html = htmlOf(panel.webview, folder)
  }
  return {
    open,
    dispose: () => {
      stop()
      panel?.dispose()
    },
  }
}

const nowOf = (model: Model, transfers: readonly Transfer[]): ToPage => {
  const sources = sourcesOf(model)
  const peers = peersIn(transfers)
  const count = peers.origin + peers.complete + peers.partial
  return {
    kind: 'now',
    summary:
      model.agent === undefined
        ? l10n.t('No agent is connected.')
        : [
            transfers.length === 1
              ? l10n.t('1 torrent in the swarm')
              : l10n.t('{0} torrents in the swarm', transfers.length),
            count === 1 ? l10n.t('1 peer') : l10n.t('{0} peers', count),
          ].join(', '),
    sources,
    peers: [
      part(l10n.t('Agents that have all of it'), peers.complete),
      part(l10n.t('Agents that are fetching'), peers.partial),
      part(l10n.t('The publisher’s own seeder'), peers.origin),
      part(l10n.t('Web servers that may be asked'), peers.webSeeds),
    ],
    transfers: transfers.map(rowOf),
  }
}

const part = (name: string, value: number): Part => ({ name, value, shown: `${value}` })

/** Of the newest update of each product. */
const sourcesOf = ({ products }: Model): readonly Part[] => {
  const sum = (of: 'peers' | 'origin' | 'reused') =>
    [...products.values()].reduce((total, { update }) => total + (update?.bytes[of] ?? 0), 0)
  const partOf = (name: string, of: 'peers' | 'origin' | 'reused'): Part => {
    const value = sum(of)
    return { name, value, shown: bytes(value) }
  }
  return [
    partOf(l10n.t('From peers'), 'peers'),
    partOf(l10n.t('From the publisher'), 'origin'),
    partOf(l10n.t('Reused from this machine'), 'reused'),
  ]
}

const rowOf = ({ name, haveBytes, totalBytes, uploadedBytes, peers }: Transfer): TransferRow => {
  const part = totalBytes === 0 ? 1 : Math.min(1, haveBytes / totalBytes)
  return {
    name: show(name, 100).replaceAll('_', ' '),
    share: part,
    shown: l10n.t('{0} of {1}', share(part), bytes(totalBytes)),
    peers: `${peers.origin + peers.complete + peers.partial}`,
    given: bytes(uploadedBytes),
  }
}

const wordsOfPage = (): DashboardWords => ({
  fromPeers: l10n.t('From peers'),
  fromOrigin: l10n.t('From the publisher'),
  upload: l10n.t('Sent to peers'),
  time: l10n.t('Time'),
  noTransfers: l10n.t('Nothing is in the swarm.'),
  cursorHelp: l10n.t('The left and right arrow keys move through the last ten minutes.'),
})

/** Everything that does not change; texts of ours only. */
const htmlOf = (webview: Webview, folder: Uri): string => {
  const nonce = randomBytes(16).toString('base64')
  const file = (name: string): string => webview.asWebviewUri(Uri.joinPath(folder, name)).toString()
  const text = (words: string): string => words.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
  const column = (words: string): string => `<th scope="col">${text(words)}</th>`
  return `<!DOCTYPE html>
<html lang="${text(env.language)}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src ${webview.cspSource}; script-src 'nonce-${nonce}'">
<meta name="viewport" content="width=device-width">
<title>${text(l10n.t('Updraft Activity'))}</title>
<link rel="stylesheet" href="${file('dashboard.css')}">
</head>
<body>
<main>
<h1>${text(l10n.t('Activity'))}</h1>
<p id="summary" role="status"></p>
<section aria-labelledby="rates-title">
<h2 id="rates-title">${text(l10n.t('Download and upload'))}</h2>
<div id="rates" tabindex="0" role="application" aria-labelledby="rates-title" aria-describedby="rates-now"></div>
<p id="rates-now" aria-live="polite"></p>
<details><summary>${text(l10n.t('The last minute as a table'))}</summary><table id="rates-table"></table></details>
</section>
<div class="pair">
<section><h2 id="sources-title">${text(l10n.t('Where the bytes came from'))}</h2>
<table id="sources" class="bars" aria-labelledby="sources-title"></table></section>
<section><h2 id="peers-title">${text(l10n.t('Peers by kind'))}</h2>
<table id="peers" class="bars" aria-labelledby="peers-title"></table></section>
</div>
<section id="fleet-section" aria-labelledby="fleet-title" hidden>
<h2 id="fleet-title">${text(l10n.t('Versions in the fleet'))}</h2>
<p class="soft">${text(l10n.t('As the publisher’s server sees them. Only machines that share are counted.'))}</p>
<div id="fleet" class="pair"></div>
</section>
<section>
<h2 id="swarm-title">${text(l10n.t('In the swarm now'))}</h2>
<table aria-labelledby="swarm-title"><thead><tr>${[l10n.t('What'), l10n.t('Here'), l10n.t('Peers'), l10n.t('Sent')].map(column).join('')}</tr></thead>
<tbody id="transfers"></tbody></table>
</section>
</main>
<script nonce="${nonce}" src="${file('dashboard.js')}"></script>
</body>
</html>`
}
