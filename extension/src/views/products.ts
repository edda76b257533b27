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
import type { ProductView } from '../view-model.ts'
import { type Row, rowsOf } from './rows.ts'
import { briefProgressOf, levelIcon, levelWord, severityIcon, versionsOf } from './words.ts'

/** One element of the tree: a product, which is looked up whenever it is drawn, or a row below one. */
export type Element = { readonly kind: 'product'; readonly key: string } | RowElement

interface RowElement {
  readonly kind: 'row'
  /** Of the row among all rows of the tree. */
  readonly path: string
  readonly row: Row
}

export interface ProductsView extends Disposable {
  readonly draw: (model: Model) => void
}

export const createProductsView = (): ProductsView => {
  const changed = new EventEmitter<Element | undefined>()
  const tree = productTree(changed)
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
export const productTree = (changed: EventEmitter<Element | undefined>): ProductTree => {
  let model = NOTHING_KNOWN
  let elements: ReadonlyMap<string, Element> = new Map()
  return {
    onDidChangeTreeData: changed.event,
    draw: (next) => {
      const previous = model
      model = next
      const keys = [...next.products.keys()]
      const isSameList = keys.length === elements.size && keys.every((key) => elements.has(key))
      if (!isSameList) {
        elements = new Map(keys.map((key) => [key, elements.get(key) ?? { kind: 'product', key }]))
        changed.fire(undefined)
        return
      }
      for (const [key, element] of elements) {
        if (hasChanged(key, previous, next)) changed.fire(element)
      }
    },
    getChildren: (element) => {
      if (element === undefined) return [...elements.values()].sort(byKey)
      if (element.kind === 'row') return childrenOf(element.path, element.row.children)
      const product = model.products.get(element.key)
      return product === undefined ? [] : childrenOf(element.key, rowsOf(product, model.sources.get(product.source)))
    },
    getTreeItem: (element) => {
      if (element.kind === 'row') return itemOfRow(element)
      const product = model.products.get(element.key)
      return product === undefined ? new TreeItem('') : itemOfProduct(product)
    },
  }
}

const childrenOf = (path: string, rows: readonly Row[] = []): Element[] =>
  rows.map((row) => ({ kind: 'row', path: `${path}\n${row.id}`, row }))

const itemOfProduct = (product: ProductView): TreeItem => {
  const { key, name, level, update } = product
  const trust = levelWord(level)
  const progress = update === undefined || update.phase === 'done' ? [] : [briefProgressOf(update)]
  const facts = [...progress, versionsOf(product)]
  const item = new TreeItem(name, TreeItemCollapsibleState.Collapsed)
  item.id = key
  item.contextValue = 'product'
  // What matters most comes first: a side bar is narrow, and cuts the rest.
  item.description = (level === 'trusted' ? facts : [trust, ...facts]).join(' · ')
  item.iconPath = iconOf(product)
  item.tooltip = [name, trust, ...facts].join('\n')
  item.accessibilityInformation = { label: [name, trust, ...facts].join(', ') }
  return item
}

const iconOf = ({ level, update }: ProductView): ThemeIcon => {
  if (level !== 'trusted') return levelIcon(level)
  if (update?.phase === 'failed') return severityIcon('warning')
  return update?.phase === 'working' ? new ThemeIcon('sync~spin') : levelIcon(level)
}

const itemOfRow = ({ path, row }: RowElement): TreeItem => {
  const hasChildren = (row.children?.length ?? 0) > 0
  const open = row.isOpen === true ? TreeItemCollapsibleState.Expanded : TreeItemCollapsibleState.Collapsed
  const item = new TreeItem(row.label, hasChildren ? open : TreeItemCollapsibleState.None)
  item.id = path
  item.tooltip = row.tooltip ?? row.label
  item.accessibilityInformation = {
    label: row.description === undefined ? row.label : `${row.label}, ${row.description}`,
  }
  if (row.description !== undefined) item.description = row.description
  if (row.icon !== undefined) item.iconPath = row.icon
  return item
}

/** The source is part of what is shown below a product. */
const hasChanged = (key: string, previous: Model, next: Model): boolean => {
  const [before, after] = [previous.products.get(key), next.products.get(key)]
  return (
    before !== after || (after !== undefined && previous.sources.get(after.source) !== next.sources.get(after.source))
  )
}

const byKey = (a: Element, b: Element): number =>
  a.kind === 'product' && b.kind === 'product' ? (a.key < b.key ? -1 : 1) : 0
