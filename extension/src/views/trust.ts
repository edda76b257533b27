// The view of trust: every finding of every product, worst first, and the sources that this machine believes, with how each
// came to be trusted. Findings stay here for as long as they hold, whatever notifications were closed.
import { SEVERITIES } from '@updraft/core/trust/finding'
import { l10n, ThemeIcon, type TreeView } from 'vscode'
import type { Model } from '../state.ts'
import type { FindingView, ProductView, SourceView } from '../view-model.ts'
import type { Row } from './row.ts'
import { createRowView, type RowElement, type RowView } from './row-tree.ts'
import { findingRow, rowsOfSource } from './trust-rows.ts'
import { findingName, pinnedWord } from './words.ts'

export const createTrustView = (): RowView => createRowView('updraft.trust', trustRows, decorate)

export const trustRows = (model: Model): readonly Row[] => {
  if (model.agent === undefined) return []
  const findings = findingsOf(model)
  return [
    ...(findings.length === 0 ? [ALL_WELL()] : findings.map(rowOf)),
    ...[...model.sources.values()].map(rowOfSource),
  ]
}

interface Found {
  readonly product: ProductView
  readonly finding: FindingView
}

/** Errors first, then by product. */
export const findingsOf = ({ products }: Model): readonly Found[] =>
  [...products.values()]
    .flatMap((product) => product.findings.map((finding) => ({ product, finding })))
    .sort((a, b) => rankOf(b) - rankOf(a) || (a.product.key < b.product.key ? -1 : 1))

const rankOf = ({ finding }: Found): number => SEVERITIES.indexOf(finding.severity)

const ALL_WELL = (): Row => ({ id: 'well', label: l10n.t('No warnings'), icon: new ThemeIcon('verified') })

/** The rows carry over from one draw to the next, so that what is open stays open: their ids name product and code. */
const rowOf = ({ product, finding }: Found): Row => {
  const row = findingRow(product.key, finding, product.findings.indexOf(finding))
  // The product comes first: a side bar is narrow, and cuts the rest.
  const label = l10n.t('{0}: {1}', product.name, findingName(finding.code))
  return { ...row, id: `${product.key}\n${row.id}`, label }
}

const rowOfSource = (source: SourceView): Row => ({
  id: `source ${source.name}`,
  label: l10n.t('Source {0}', source.name),
  description: pinnedWord(source.pinnedBy),
  tooltip: source.url,
  icon: new ThemeIcon(source.pinnedBy === 'first-use' ? 'unverified' : 'key'),
  context: source.pinnedBy === 'first-use' ? 'source uncompared' : 'source',
  about: { kind: 'source', source: source.name },
  children: rowsOfSource(source),
})

const decorate = (view: TreeView<RowElement>, model: Model): void => {
  const count = findingsOf(model).filter(({ finding }) => finding.severity !== 'info').length
  const words = count === 1 ? l10n.t('1 warning') : l10n.t('{0} warnings', count)
  if (view.badge?.value !== (count === 0 ? undefined : count)) {
    view.badge = count === 0 ? undefined : { value: count, tooltip: words }
  }
}
