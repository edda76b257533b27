// The page of the dashboard: draws what the extension sends, as text and numbers only, and asks for nothing but to begin.
import uPlot from 'uplot'
import type { Sample } from '../src/activity.ts'
import type { DashboardWords, Part, ToPage, TransferRow } from '../src/views/dashboard-messages.ts'

declare const acquireVsCodeApi: () => { postMessage(message: unknown): void }

const SAMPLES_MAX = 600
const TABLE_ROWS = 60
const HEIGHT = 240

const byId = (id: string): HTMLElement => {
  const element = document.getElementById(id)
  if (element === null) throw new Error(`there is no ${id}`)
  return element
}
const cell = (tag: 'td' | 'th', text: string): HTMLElement => {
  const element = document.createElement(tag)
  element.textContent = text
  if (tag === 'th') element.setAttribute('scope', 'row')
  return element
}
const row = (...cells: readonly HTMLElement[]): HTMLElement => {
  const element = document.createElement('tr')
  element.append(...cells)
  return element
}

let words: DashboardWords | undefined
let language = 'en'
let samples: Sample[] = []
let chart: uPlot | undefined

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte'] as const
const rateText = (bytesPerSecond: number): string => {
  const step = Math.min(UNITS.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, bytesPerSecond)) / 3)))
  const format = { style: 'unit', unit: `${UNITS[step]}-per-second`, maximumFractionDigits: 1 } as const
  return new Intl.NumberFormat(language, format).format(bytesPerSecond / 1000 ** step)
}
const timeText = (at: number): string =>
  new Intl.DateTimeFormat(language, { timeStyle: 'medium' }).format(new Date(at * 1000))

const colour = (name: string): string => getComputedStyle(document.body).getPropertyValue(name).trim() || 'currentColor'

/** Lines differ by their dashes as well, for those who see no colours. */
const linesOf = ({ fromPeers, fromOrigin, upload }: DashboardWords) =>
  [
    { label: fromPeers, variable: '--vscode-charts-blue', dash: [] },
    { label: fromOrigin, variable: '--vscode-charts-orange', dash: [8, 4] },
    { label: upload, variable: '--vscode-charts-green', dash: [2, 3] },
  ] as const

const dataOf = (): uPlot.AlignedData => [
  samples.map(({ at }) => at),
  samples.map(({ peers }) => peers),
  samples.map(({ origin }) => origin),
  samples.map(({ upload }) => upload),
]

/** Made anew when the theme changes, since a canvas knows no variables. */
const draw = (): void => {
  if (words === undefined) return
  const place = byId('rates')
  chart?.destroy()
  const axis = { stroke: colour('--vscode-foreground'), grid: { stroke: colour('--vscode-panel-border'), width: 1 } }
  chart = new uPlot(
    {
      width: Math.max(200, place.clientWidth),
      height: HEIGHT,
      scales: {
        x: { range: (_, from, to) => rangeOf(from, to) },
        y: { range: (_, __, max) => [0, Math.max(1_000, max * 1.1)] },
      },
      axes: [axis, { ...axis, size: 90, values: (_, splits) => splits.map(rateText) }],
      series: [
        { label: words.time, value: (_, at) => (at == null ? '' : timeText(at)) },
        ...linesOf(words).map(({ label, variable, dash }) => ({
          label,
          stroke: colour(variable),
          width: 2,
          dash: [...dash],
          value: (_: uPlot, value: number | null) => (value == null ? '' : rateText(value)),
        })),
      ],
    },
    dataOf(),
    place,
  )
}

/** At least the last minute, so that the first moments are not drawn over years. */
const rangeOf = (from: number | null, to: number | null): [number, number] => {
  const end = to ?? Date.now() / 1000
  return [Math.min(from ?? end, end - 60), end]
}

const sentenceOf = (sample: Sample): string => {
  if (words === undefined) return ''
  const parts = [
    `${words.fromPeers} ${rateText(sample.peers)}`,
    `${words.fromOrigin} ${rateText(sample.origin)}`,
    `${words.upload} ${rateText(sample.upload)}`,
  ]
  return `${timeText(sample.at)}: ${parts.join(', ')}`
}

const drawTable = (): void => {
  if (words === undefined || !(byId('rates-table').parentElement as HTMLDetailsElement).open) return
  const { time, fromPeers, fromOrigin, upload } = words
  const head = row(...[time, fromPeers, fromOrigin, upload].map((text) => cell('th', text)))
  for (const element of head.children) element.setAttribute('scope', 'col')
  const rows = samples
    .slice(-TABLE_ROWS)
    .reverse()
    .map(({ at, peers, origin, upload: given }) =>
      row(
        cell('th', timeText(at)),
        cell('td', rateText(peers)),
        cell('td', rateText(origin)),
        cell('td', rateText(given)),
      ),
    )
  byId('rates-table').replaceChildren(head, ...rows)
}

/** A table whose last column is a bar: the numbers are there for everybody, the bar for those who see it. */
const drawBars = (id: string, parts: readonly Part[]): void => {
  const total = parts.reduce((sum, { value }) => sum + value, 0)
  byId(id).replaceChildren(
    ...parts.map(({ name, value, shown }, index) => {
      const bar = document.createElement('div')
      bar.className = `bar bar-${index}`
      bar.style.width = `${total === 0 ? 0 : (100 * value) / total}%`
      const place = document.createElement('td')
      place.setAttribute('aria-hidden', 'true')
      place.append(bar)
      return row(cell('th', name), cell('td', shown), place)
    }),
  )
}

const drawTransfers = (transfers: readonly TransferRow[]): void => {
  const rows = transfers.map(({ name, shown, peers, given }) =>
    row(cell('th', name), cell('td', shown), cell('td', peers), cell('td', given)),
  )
  byId('transfers').replaceChildren(...(rows.length > 0 ? rows : [row(cell('td', words?.noTransfers ?? ''))]))
}

const take = (message: ToPage): void => {
  switch (message.kind) {
    case 'start':
      words = message.words
      language = message.language
      samples = [...message.samples]
      byId('rates').setAttribute('aria-description', words.cursorHelp)
      draw()
      break
    case 'sample':
      samples = [...samples, message.sample].slice(-SAMPLES_MAX)
      chart?.setData(dataOf())
      drawTable()
      break
    case 'now':
      byId('summary').textContent = message.summary
      drawBars('sources', message.sources)
      drawBars('peers', message.peers)
      drawTransfers(message.transfers)
  }
}

/** Only the window that VS Code puts around this page speaks to it. */
const isMessage = (value: unknown): value is ToPage =>
  typeof value === 'object' &&
  value !== null &&
  ['start', 'sample', 'now'].includes(String((value as { kind?: unknown }).kind))
window.addEventListener('message', ({ data }: MessageEvent<unknown>) => {
  if (isMessage(data)) take(data)
})

byId('rates').addEventListener('keydown', (event) => {
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key]
  if (step === undefined || chart === undefined || samples.length === 0) return
  event.preventDefault()
  const index = Math.max(0, Math.min(samples.length - 1, (chart.cursor.idx ?? samples.length - 1) + step))
  const sample = samples[index]
  if (sample === undefined) return
  chart.setCursor({ left: chart.valToPos(sample.at, 'x'), top: 0 })
  byId('rates-now').textContent = sentenceOf(sample)
})
byId('rates-table').parentElement?.addEventListener('toggle', drawTable)
new ResizeObserver(() => chart?.setSize({ width: Math.max(200, byId('rates').clientWidth), height: HEIGHT })).observe(
  document.body,
)
new MutationObserver(draw).observe(document.body, { attributes: true, attributeFilter: ['class'] })
acquireVsCodeApi().postMessage({ kind: 'ready' })
