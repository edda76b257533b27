// The page of the dashboard: draws what the extension sends, as text and numbers only, and asks for nothing but to begin.
import uPlot from 'uplot'
import type { Sample } from '../src/activity.ts'
import type { DashboardWords, FleetTable, Part, ToPage, TransferRow } from '../src/views/dashboard-messages.ts'

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
        x: { range: timeRange },
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

/** At least the last minute. Of one sample alone uPlot would make years, so what it proposes is not looked at. */
const timeRange = (): [number, number] => {
  const end = samples.at(-1)?.at ?? Date.now() / 1000
  return [Math.min(samples[0]?.at ?? end, end - 60), end]
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
const drawBars = (table: HTMLElement, parts: readonly Part[], colours: 'by row' | 'one'): void => {
  const total = parts.reduce((sum, { value }) => sum + value, 0)
  table.replaceChildren(
    ...parts.map(({ name, value, shown }, index) => {
      const bar = document.createElement('div')
      bar.className = `bar bar-${colours === 'one' ? 0 : index}`
      bar.style.width = `${total === 0 ? 0 : (100 * value) / total}%`
      const place = document.createElement('td')
      place.setAttribute('aria-hidden', 'true')
      place.append(bar)
      return row(cell('th', name), cell('td', shown), place)
    }),
  )
}

const drawFleet = (tables: readonly FleetTable[]): void => {
  byId('fleet-section').hidden = tables.length === 0
  byId('fleet').replaceChildren(
    ...tables.map(({ title, rows }) => {
      const table = document.createElement('table')
      table.className = 'bars'
      drawBars(table, rows, 'one')
      table.createCaption().textContent = title
      return table
    }),
  )
}

const drawTransfers = (transfers: readonly TransferRow[]): void => {
  const rows = transfers.map(({ name, shown, peers, given }) =>
    row(cell('th', name), cell('td', shown), cell('td', peers), cell('td', given)),
  )
  byId('transfers').replaceChildren(...(rows.length > 0 ? rows : [row(cell('td', words?.noTransfers ?? ''))]))
}

const shown = new Map<ToPage['kind'], string>()

/** What is drawn again each second loses whoever reads it with a screen reader, so the same is not drawn twice. */
const isShown = (message: ToPage): boolean => {
  const text = JSON.stringify(message)
  const is = shown.get(message.kind) === text
  shown.set(message.kind, text)
  return is
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
      if (isShown(message)) break
      byId('summary').textContent = message.summary
      drawBars(byId('sources'), message.sources, 'by row')
      drawBars(byId('peers'), message.peers, 'by row')
      drawTransfers(message.transfers)
      break
    case 'fleet':
      if (!isShown(message)) drawFleet(message.tables)
  }
}

/** Only the window that VS Code puts around this page speaks to it. */
const isMessage = (value: unknown): value is ToPage =>
  typeof value === 'object' &&
  value !== null &&
  ['start', 'sample', 'now', 'fleet'].includes(String((value as { kind?: unknown }).kind))
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
