// A row of a tree as a plain value, so that what is shown can be tested without a screen, and the item that VS Code draws.
import { type ThemeIcon, TreeItem, TreeItemCollapsibleState } from 'vscode'

export interface Row {
  /** Unique below its parent, and the same after every change, so that the tree keeps what is open and selected. */
  readonly id: string
  readonly label: string
  readonly description?: string
  /** Plain text; VS Code does not read it as Markdown. */
  readonly tooltip?: string
  /** What only the icon says, for those who do not see it. */
  readonly spoken?: string
  readonly icon?: ThemeIcon
  readonly children?: readonly Row[]
  readonly isOpen?: boolean
  /** Its children are asked for only when it is opened. */
  readonly isLazy?: boolean
  /** Which actions it has, for the menus of package.json. */
  readonly context?: string
  /** What its actions are about. */
  readonly about?: About
}

/** Names of the agent, exactly as it says them: for asking it and for comparing only. */
export type About =
  | { readonly kind: 'product'; readonly product: string }
  | { readonly kind: 'finding'; readonly product: string; readonly code: string }
  | { readonly kind: 'version'; readonly product: string; readonly version: string }
  /** The name as it is shown: sources are not asked for by name. */
  | { readonly kind: 'source'; readonly source: string }

/** Nothing of it runs by being clicked: actions are in menus. */
export const itemOfRow = (row: Row, id: string): TreeItem => {
  const hasChildren = row.isLazy === true || (row.children ?? []).length > 0
  const open = row.isOpen === true ? TreeItemCollapsibleState.Expanded : TreeItemCollapsibleState.Collapsed
  const item = new TreeItem(row.label, hasChildren ? open : TreeItemCollapsibleState.None)
  item.id = id
  item.tooltip = row.tooltip ?? row.label
  item.accessibilityInformation = {
    label: [row.label, row.description, row.spoken].filter((part) => part !== undefined).join(', '),
  }
  if (row.description !== undefined) item.description = row.description
  if (row.icon !== undefined) item.iconPath = row.icon
  if (row.context !== undefined) item.contextValue = row.context
  return item
}

export const lines = (...parts: readonly (string | undefined)[]): string =>
  parts.filter((part) => part !== undefined && part !== '').join('\n')
