// The one item in the status bar. It has a background in two cases only: when a decision about trust waits for the person,
// and when an update was blocked because a signature does not hold.
import {
  type Disposable,
  env,
  l10n,
  MarkdownString,
  StatusBarAlignment,
  type StatusBarItem,
  ThemeColor,
  window,
} from 'vscode'
import { type Model, type Summary, summaryOf, type Tone } from '../state.ts'
import { asMarkdown, show } from '../text.ts'
import type { ProductView } from '../view-model.ts'
import { findingTitle, levelWord, linkWord, progressOf, sentence, share, versionsOf } from './words.ts'

/** The label is for a glance; a longer name is in the tooltip. */
const LABEL_NAME_LENGTH_MAX = 20
/** Nobody listens to more. */
const SPOKEN_PRODUCTS_MAX = 3
/** As many as a hover shows without scrolling. */
const TOOLTIP_PRODUCTS_MAX = 12

const ICONS: Readonly<Record<Tone, string>> = {
  blocked: '$(error)',
  decision: '$(warning)',
  working: '$(sync~spin)',
  attention: '$(warning)',
  pending: '$(clock)',
  quiet: '$(verified)',
  connecting: '$(sync~spin)',
  offline: '$(debug-disconnect)',
}

export interface StatusBar extends Disposable {
  readonly draw: (model: Model) => void
}

export const createStatusBar = (): StatusBar => {
  const item = window.createStatusBarItem('agent', StatusBarAlignment.Left, 0)
  item.name = l10n.t('Updraft')
  item.command = 'updraft.products.focus'
  item.show()
  return { draw: (model) => draw(item, model), dispose: () => item.dispose() }
}

const draw = (item: StatusBarItem, model: Model): void => {
  const summary = summaryOf(model)
  item.text = `${ICONS[summary.tone]} ${labelOf(summary)}`
  item.backgroundColor = backgroundOf(summary.tone)
  item.tooltip = tooltipOf(model)
  item.accessibilityInformation = { label: spokenLabelOf(model, summary) }
}

const backgroundOf = (tone: Tone): ThemeColor | undefined => {
  if (tone === 'blocked') return new ThemeColor('statusBarItem.errorBackground')
  return tone === 'decision' ? new ThemeColor('statusBarItem.warningBackground') : undefined
}

const labelOf = ({ tone, products, share: part }: Summary): string => {
  if (tone === 'blocked') return l10n.t('Updraft: update blocked')
  if (tone === 'decision') return l10n.t('Updraft: decision needed')
  const [first] = products
  if (tone !== 'working' || first === undefined) return l10n.t('Updraft')
  const what = products.length === 1 ? show(first.name, LABEL_NAME_LENGTH_MAX) : l10n.t('{0} updates', products.length)
  return part === undefined ? what : `${what} ${share(part)}`
}

/** What a screen reader says: the state in words, since it sees neither icon nor colour. */
const spokenLabelOf = ({ link }: Model, { tone, products, share: part }: Summary): string => {
  const names =
    products.length > SPOKEN_PRODUCTS_MAX
      ? l10n.t('{0} products', products.length)
      : products.map(({ name }) => name).join(', ')
  switch (tone) {
    case 'blocked':
      return l10n.t('Updraft: an update of {0} was blocked', names)
    case 'decision':
      return l10n.t('Updraft: {0} needs your decision', names)
    case 'working':
      return part === undefined
        ? l10n.t('Updraft: updating {0}', names)
        : l10n.t('Updraft: updating {0}, {1}', names, share(part))
    case 'attention':
      return l10n.t('Updraft: {0} needs attention', names)
    case 'pending':
      return l10n.t('Updraft: an update of {0} is waiting', names)
    case 'quiet':
      return l10n.t('Updraft: all is well')
    case 'connecting':
    case 'offline':
      return l10n.t('Updraft: {0}', linkWord(link))
  }
}

/** Everything that a link in the tooltip can run: commands that ask nothing of whoever wrote the link. */
export const TOOLTIP_COMMANDS = [
  'updraft.products.focus',
  'updraft.trust.focus',
  'updraft.checkForUpdates',
  'updraft.showLog',
]

/** Markdown of our own; whatever comes from the agent stands in it as plain text, and cannot run a command. */
export const tooltipOf = (model: Model): MarkdownString => {
  const tooltip = new MarkdownString(undefined, true)
  tooltip.isTrusted = { enabledCommands: TOOLTIP_COMMANDS }
  const { agent, link, reason } = model
  if (agent === undefined) {
    return tooltip.appendMarkdown(
      `**Updraft**: ${asMarkdown(show(linkWord(link)))}\n\n${asMarkdown(show(sentence(reason)))}\n\n${actionsOf(['updraft.products.focus', l10n.t('What to do')], ['updraft.showLog', l10n.t('Show Log')])}`,
    )
  }
  tooltip.appendMarkdown(`**Updraft** ${asMarkdown(show(whereOf(model)))}\n\n`)
  const products = [...model.products.values()]
  for (const product of products.slice(0, TOOLTIP_PRODUCTS_MAX)) tooltip.appendMarkdown(paragraphOf(product))
  const more = products.length - TOOLTIP_PRODUCTS_MAX
  if (more > 0) tooltip.appendMarkdown(asMarkdown(show(l10n.t('and {0} more', more))))
  if (products.length === 0) tooltip.appendMarkdown(asMarkdown(show(l10n.t('The agent has no products yet.'))))
  tooltip.appendMarkdown(
    `\n\n${actionsOf(
      ['updraft.products.focus', l10n.t('Show Products')],
      ['updraft.trust.focus', l10n.t('Show Trust')],
      ['updraft.checkForUpdates', l10n.t('Check for Updates')],
    )}`,
  )
  return tooltip
}

const actionsOf = (...actions: readonly (readonly [command: string, title: string])[]): string =>
  actions.map(([command, title]) => `[${asMarkdown(show(title))}](command:${command})`).join(' · ')

/** Which machine's agent is meant; in a remote window that is not obvious. */
const whereOf = ({ agent }: Model): string => {
  const { version = '', hostname = '' } = agent ?? {}
  return env.remoteName === undefined
    ? l10n.t('agent {0} on {1}', version, hostname)
    : l10n.t('agent {0} on {1} (this window is remote: {2})', version, hostname, env.remoteName)
}

const paragraphOf = (product: ProductView): string => {
  const { name, level, update, findings } = product
  const progress = update?.phase === 'working' || update?.phase === 'pending' ? progressOf(update) : undefined
  const words = [versionsOf(product), progress, levelWord(level)].filter((word) => word !== undefined).join(' · ')
  const icon = { trusted: '$(verified)', attention: '$(warning)', untrusted: '$(error)' }[level]
  const wrong = findings
    .filter(({ severity }) => severity !== 'info')
    .map(({ code }) => `  \n${asMarkdown(show(findingTitle(code)))}`)
  return `${icon} **${asMarkdown(name)}** ${asMarkdown(show(words))}${wrong.join('')}\n\n`
}
