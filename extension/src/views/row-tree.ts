// A view that is nothing but rows: each draw replaces them, and only a draw that changes something reaches VS Code.
import { isDeepStrictEqual } from 'node:util'
import { type Disposable, EventEmitter, type TreeView, window } from 'vscode'
import type { Model } from '../state.ts'
import { type About, itemOfRow, type Row } from './row.ts'

export interface RowElement {
  readonly path: string
  readonly row: Row
  readonly about: About | undefined
}

export interface RowView extends Disposable {
  readonly draw: (model: Model) => void
}

/** `rowsOf` makes the rows of a model; `decorate` sets what the view says of itself. */
export const createRowView = (
  id: string,
  rowsOf: (model: Model) => readonly Row[],
  decorate: (view: TreeView<RowElement>, model: Model) => void = () => {},
): RowView => {
  const changed = new EventEmitter<RowElement | undefined>()
  let rows: readonly Row[] = []
  const view = window.createTreeView<RowElement>(id, {
    showCollapseAll: true,
    treeDataProvider: {
      onDidChangeTreeData: changed.event,
      getChildren: (element) => elementsOf(element?.path ?? '', element === undefined ? rows : element.row.children),
      getTreeItem: ({ path, row }) => itemOfRow(row, path),
    },
  })
  return {
    draw: (model) => {
      decorate(view, model)
      const next = rowsOf(model)
      if (isDeepStrictEqual(next, rows)) return
      rows = next
      changed.fire(undefined)
    },
    dispose: () => {
      view.dispose()
      changed.dispose()
    },
  }
}

const elementsOf = (path: string, rows: readonly Row[] = []): RowElement[] =>
  rows.map((row) => ({ path: `${path}\n${row.id}`, row, about: row.about }))
