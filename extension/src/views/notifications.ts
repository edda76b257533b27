// Notifications: one after the other, unless there is worse to tell; several things at once in one of them, each thing once.
// What was told is remembered over restarts. Everything told here is in the views as well, and stays there.
import { commands, type Disposable, l10n, type Memento, window, workspace } from 'vscode'
import { createTurns } from '../notice-turns.ts'
import { NOTICE_KINDS, type Notice, type NoticeKind, noticesOf } from '../notices.ts'
import type { Model } from '../state.ts'
import type { FindingView } from '../view-model.ts'
import { findingText } from './finding-texts.ts'
import type { About } from './row.ts'
import { findingName } from './words.ts'

/** What is told: enough for years, and bounded whatever an agent says. */
const REMEMBERED_MAX = 1_000
const MEMORY = 'updraft.told'

/** Time to read one. One that nobody closes must not keep what comes later from being told. */
const TURN_MS = 8_000

export interface Notifications extends Disposable {
  readonly draw: (model: Model) => void
}

export const createNotifications = (memory: Memento): Notifications => {
  const told = new Set<string>(memory.get<readonly string[]>(MEMORY, []))
  let model: Model | undefined
  const turns = createTurns(TURN_MS)
  let isDisposed = false

  const remember = async (notices: readonly Notice[]): Promise<void> => {
    for (const { key } of notices) told.add(key)
    for (const key of told) if (told.size > REMEMBERED_MAX) told.delete(key)
    await memory.update(MEMORY, [...told])
  }

  const next = async (): Promise<void> => {
    if (isDisposed || model?.agent === undefined) return
    const fresh = noticesOf(model).filter(({ key }) => !told.has(key))
    const [first] = fresh
    const rank = first === undefined ? Number.NaN : NOTICE_KINDS.indexOf(first.kind)
    if (first === undefined || !turns.isFreeFor(rank)) return // Whoever has the turn asks again at its end.
    const together = fresh.filter(({ kind }) => kind === first.kind)
    await turns.take(rank, async () => {
      await remember(together)
      if (isWanted(first.kind)) await tell(first.kind, together)
    })
    await next()
  }

  return {
    draw: (newest) => {
      model = newest
      void next()
    },
    dispose: () => {
      isDisposed = true
      turns[Symbol.dispose]()
    },
  }
}

const isWanted = (kind: NoticeKind): boolean =>
  workspace.getConfiguration('updraft').get(`notifications.${kind}`, false)

const tell = async (kind: NoticeKind, notices: readonly Notice[]): Promise<void> => {
  const [first] = notices
  if (first === undefined) return
  const show =
    kind === 'blocked'
      ? window.showErrorMessage
      : kind === 'warnings'
        ? window.showWarningMessage
        : window.showInformationMessage
  const actions = actionsOf(kind, first, notices.length)
  const silence = l10n.t('Don’t Show Again')
  const chosen = await show(messageOf(kind, first, notices), ...actions.keys(), silence)
  if (chosen === silence) await workspace.getConfiguration('updraft').update(`notifications.${kind}`, false, true)
  else if (chosen !== undefined) await actions.get(chosen)?.()
}

const messageOf = (kind: NoticeKind, { product, finding }: Notice, notices: readonly Notice[]): string => {
  const names = namesOf(notices)
  const count = notices.length
  switch (kind) {
    case 'blocked':
      return finding !== undefined && count === 1
        ? l10n.t('Updraft has blocked an update of {0}: {1}. {2}', product.name, ...summaryOf(finding))
        : l10n.t(
            'Updraft has blocked updates of {0}: {1} warnings say why. Nothing of them was installed.',
            names,
            count,
          )
    case 'warnings':
      return finding !== undefined && count === 1
        ? l10n.t('Updraft warns of {0}: {1}. {2}', product.name, ...summaryOf(finding))
        : l10n.t('Updraft has {0} warnings, about {1}.', count, names)
    case 'approvals':
      return count === 1
        ? l10n.t('{0} {1} is ready and waits for your approval.', product.name, product.toApprove?.version ?? '')
        : l10n.t('{0} updates wait for your approval: {1}.', count, names)
    case 'installed':
      return count === 1
        ? l10n.t('{0} {1} was installed.', product.name, product.installed?.version ?? '')
        : l10n.t('{0} updates were installed: {1}.', count, names)
  }
}

/** What it is called, and what the agent has done: the values, and what to do, are in the details. */
const summaryOf = ({ code, severity }: FindingView): readonly [string, string] => [
  findingName(code),
  findingText(code, severity).did,
]

const NAMES_MAX = 3

/** `a, b, c and 4 more` */
const namesOf = (notices: readonly Notice[]): string => {
  const names = [...new Set(notices.map(({ product: { name } }) => name))]
  const some = names.slice(0, NAMES_MAX).join(', ')
  return names.length > NAMES_MAX ? l10n.t('{0} and {1} more', some, names.length - NAMES_MAX) : some
}

const actionsOf = (
  kind: NoticeKind,
  { product, finding }: Notice,
  count: number,
): ReadonlyMap<string, () => Promise<void>> => {
  const run = (command: string, about?: About) => async () => {
    await commands.executeCommand(command, about === undefined ? undefined : { about })
  }
  if (kind === 'approvals' && count === 1) {
    return new Map([
      [l10n.t('Approve'), run('updraft.approve', { kind: 'product', product: product.key })],
      [l10n.t('Show'), run('updraft.products.focus')],
    ])
  }
  if (finding !== undefined && count === 1) {
    const about: About = { kind: 'finding', product: product.key, code: finding.code }
    return new Map([[l10n.t('Show Details'), run('updraft.showFinding', about)]])
  }
  return new Map([
    [l10n.t('Show'), run(kind === 'blocked' || kind === 'warnings' ? 'updraft.trust.focus' : 'updraft.products.focus')],
  ])
}
