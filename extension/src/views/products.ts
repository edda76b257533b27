// The tree of products. Redraws only the products that changed, so that many of them can be updated at once.
import {
  type Disposable,
  EventEmitter,
  l10n,
  ThemeIcon,
  type TreeDataProvider,
  TreeItem,
  TreeItemCollapsibleState,
  window,
} from 'vscode'
import { type Model, NOTHING_KNOWN } from '../state.ts'
import type { PastUpdateView, ProductView } from '../view-model.ts'
import { historyRows } from './history-rows.ts'
import { type About, itemOfRow, type Row } from './row.ts'
import { rowsOf } from './rows.ts'
import { briefProgressOf, levelIcon, levelWord, severityIcon, versionsOf } from './words.ts'

/** One element of the tree: a product, which is looked up whenever it is drawn, or a row below one. */
export type Element = ProductElement | RowElement

interface ProductElement {
  readonly kind: 'product'
  readonly key: string
  readonly about: About
}

interface RowElement {
  readonly kind: 'row'
  /** Of the row among all rows of the tree. */
  readonly path: string
  readonly row: Row
  readonly about: About | undefined
}

/** Asks the agent for the updates of a product, newest first. */
export type AskHistory = (product: string) => Promise<readonly PastUpdateView[]>

export interface ProductsView extends Disposable {
  readonly draw: (model: Model) => void
}

export const createProductsView = (history: AskHistory): ProductsView => {
  const changed = new EventEmitter<Element | undefined>()
  const tree = productTree(changed, history)
  const view = window.createTreeView('updraft.products', { treeDataProvider: tree, showCollapseAll: true })
  return {
    draw: (model) => {
      view.description = model.agent === undefined ? '' : l10n.t('on {0}', model.agent.hostname)
      tree.draw(model)
    },
    dispose: () => {
      view.dispose()
      changed.dispose()
    },
  }
}

interface ProductTree extends TreeDataProvider<Element> {
  readonly draw: (model: Model) => void
}

/** VS Code knows an element by its object, so each product keeps one for as long as it is there. */
export const productTree = (changed: EventEmitter<Element | undefined>, history: AskHistory): ProductTree => {
  let model = NOTHING_KNOWN
  let elements: ReadonlyMap<string, ProductElement> = new Map()
  const remembered = rememberHistory(history)
  return {
    onDidChangeTreeData: changed.event,
    draw: (next) => {
      const previous = model
      model = next
      const keys = [...next.products.keys()]
      const isSameList = keys.length === elements.size && keys.every((key) => elements.has(key))
      if (!isSameList) {
        elements = new Map(keys.map((key) => [key, elements.get(key) ?? productElement(key)]))
        changed.fire(undefined)
        return
      }
      for (const [key, element] of elements) {
        if (hasChanged(key, previous, next)) changed.fire(element)
      }
    },
    getChildren: async (element) => {
      if (element === undefined) return [...elements.values()].sort(byKey)
      if (element.kind === 'product') {
        const product = model.products.get(element.key)
        return product === undefined ? [] : childrenOf(element.key, rowsOf(product, model.sources.get(product.source)))
      }
      if (element.row.isLazy !== true) return childrenOf(element.path, element.row.children)
      const product = element.about?.kind === 'product' ? model.products.get(element.about.product) : undefined
      return product === undefined ? [] : childrenOf(element.path, historyRows(product, await remembered(product)))
    },
    getTreeItem: (element) => {
      if (element.kind === 'row') return itemOfRow(element.row, element.path)
      const product = model.products.get(element.key)
      return product === undefined ? new TreeItem('') : itemOfProduct(product)
    },
  }
}

const productElement = (key: string): ProductElement => ({
  kind: 'product',
  key,
  about: { kind: 'product', product: key },
})

const childrenOf = (path: string, rows: readonly Row[] = []): RowElement[] =>
  rows.map((row) => ({ kind: 'row', path: `${path}\n${row.id}`, row, about: row.about }))

/** An open history is drawn with every step of a download; it is asked for again only when an update begins or ends. */
const rememberHistory = (history: AskHistory) => {
  const known = new Map<string, { readonly stamp: string; readonly updates: Promise<readonly PastUpdateView[]> }>()
  return ({ key, installed, update }: ProductView): Promise<readonly PastUpdateView[]> => {
    const stamp = JSON.stringify([installed?.version, installed?.at, update?.version, update?.phase, update?.startedAt])
    const remembered = known.get(key)
    if (remembered?.stamp === stamp) return remembered.updates
    const updates = history(key)
    known.set(key, { stamp, updates })
    updates.catch(() => known.delete(key)) // The tree shows why; the next look asks again.
    return updates
  }
}

const itemOfProduct = (product: ProductView): TreeItem => {
  const { key, name, level, update, isHeld } = product
  const trust = levelWord(level)
  const progress = update === undefined || update.phase === 'done' ? [] : [briefProgressOf(update)]
  const facts = [...progress, versionsOf(product), ...(isHeld ? [l10n.t('held')] : [])]
  const item = new TreeItem(name, TreeItemCollapsibleState.Collapsed)
  item.id = key
  item.contextValue = contextOf(product)
  // What matters most comes first: a side bar is narrow, and cuts the rest.
  item.description = (level === 'trusted' ? facts : [trust, ...facts]).join(' · ')
  item.iconPath = iconOf(product)
  item.tooltip = [name, trust, ...facts].join('\n')
  item.accessibilityInformation = { label: [name, trust, ...facts].join(', ') }
  return item
}

/** What can be done with a product now, as words that the menus of package.json look for. */
const contextOf = ({ installed, available, update, bad, isHeld, toApprove }: ProductView): string =>
  [
    'product',
    ...(installed === undefined ? [] : ['installed']),
    ...(available === undefined || available.version === installed?.version ? [] : ['newer']),
    ...(available?.notes === undefined ? [] : ['notes']),
    ...(toApprove === undefined ? [] : ['waiting']),
    ...(update?.phase === 'failed' || bad.length > 0 ? ['failed'] : []),
    isHeld ? 'held' : 'free',
  ].join(' ')

const iconOf = ({ level, update }: ProductView): ThemeIcon => {
  if (level !== 'trusted') return levelIcon(level)
  // What was rolled back for a fault is a finding; otherwise a person wanted it.
  if (update?.state === 'failed') return severityIcon('warning')
  return update?.phase === 'working' ? new ThemeIcon('sync~spin') : levelIcon(level)
}

/** The source is part of what is shown below a product. */
const hasChanged = (key: string, previous: Model, next: Model): boolean => {
  const [before, after] = [previous.products.get(key), next.products.get(key)]
  return (
    before !== after || (after !== undefined && previous.sources.get(after.source) !== next.sources.get(after.source))
  )
}

const byKey = (a: ProductElement, b: ProductElement): number => (a.key < b.key ? -1 : 1)
