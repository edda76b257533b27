// Which of all that the model says deserves a notification: each thing once, for this product, version and code, and never
// what the person has silenced. Pure; remembers nothing itself.
import type { Severity } from '@updraft/core/trust/finding'
import type { Model } from './state.ts'
import type { FindingView, ProductView } from './view-model.ts'

/** Each kind has a setting `updraft.notifications.<kind>`. */
export const NOTICE_KINDS = ['blocked', 'warnings', 'approvals', 'installed'] as const
export type NoticeKind = (typeof NOTICE_KINDS)[number]

export interface Notice {
  readonly kind: NoticeKind
  /** Told once: a notice with the same key is the same notice. */
  readonly key: string
  readonly product: ProductView
  readonly finding: FindingView | undefined
}

/** Everything that could be told now, most urgent first. */
export const noticesOf = ({ products }: Model): readonly Notice[] => {
  const all = [...products.values()].flatMap((product) => [
    ...product.findings.flatMap((finding) => findingNotice(product, finding)),
    ...approvalNotice(product),
    ...installedNotice(product),
  ])
  return all.sort((a, b) => NOTICE_KINDS.indexOf(a.kind) - NOTICE_KINDS.indexOf(b.kind))
}

const KIND_OF_SEVERITY: Readonly<Record<Severity, NoticeKind | undefined>> = {
  error: 'blocked',
  warning: 'warnings',
  info: undefined, // Stays in the tree.
}

/** What was refused is told once per version, however often it comes and goes; what lasts is told once each time it begins. */
const findingNotice = (product: ProductView, finding: FindingView): readonly Notice[] => {
  const kind = KIND_OF_SEVERITY[finding.severity]
  if (kind === undefined) return []
  const version = product.update?.version ?? product.available?.version ?? product.installed?.version ?? ''
  const which = kind === 'blocked' ? version : (finding.since?.toISOString() ?? '')
  return [{ kind, key: keyOf(product, finding.code, which), product, finding }]
}

/** Where somebody else has signed, the finding says so, and nobody shall approve it with one click. */
const approvalNotice = (product: ProductView): readonly Notice[] =>
  product.toApprove === undefined || product.toApprove.isSkipped || product.toApprove.newSigner !== undefined
    ? []
    : [{ kind: 'approvals', key: keyOf(product, 'approval', product.toApprove.version), product, finding: undefined }]

/** The first installation is somebody's own doing, and no news to them. */
const installedNotice = (product: ProductView): readonly Notice[] => {
  const { installed, update } = product
  if (installed === undefined || update?.state !== 'committed' || update.version !== installed.version) return []
  return [{ kind: 'installed', key: keyOf(product, 'installed', installed.version), product, finding: undefined }]
}

const keyOf = ({ key }: ProductView, what: string, which: string): string => JSON.stringify([key, what, which])
