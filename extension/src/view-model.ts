// What the agent says, made fit to be shown: every text cleaned, every number in its bounds, every time parsed. The types
// below hold no raw text of the agent except what is called `key`: it names a product, a version or a folder to the agent or
// to the machine again, and is never shown. Release notes are Markdown and cleaned where they are shown.
import type {
  PastUpdate,
  Problem,
  ProductStatus,
  Rule,
  Signer,
  SourceStatus,
  Status,
  Update,
  UpdateState,
} from '@updraft/core/control/api'
import type { ReportedFinding, Severity, TrustLevel } from '@updraft/core/trust/finding'
import { type Shown, show } from './text.ts'

/** Names and versions share a row with other words; their grammar allows no more than 64 characters. */
const NAME_LENGTH_MAX = 64

export interface AgentView {
  readonly version: Shown
  readonly hostname: Shown
  readonly home: Shown
  readonly startedAt: Date | undefined
}

export interface ProblemView {
  readonly code: Shown
  readonly message: Shown
  readonly hint: Shown | undefined
}

export interface SourceView {
  readonly name: Shown
  /** The address exactly as the agent says it. */
  readonly key: string
  readonly url: Shown
  readonly rootVersion: number
  readonly fingerprint: Shown
  readonly pinnedBy: SourceStatus['root']['pinnedBy']
  readonly expires: { readonly role: Shown; readonly at: Date | undefined } | undefined
  readonly lastCheck: { readonly at: Date | undefined; readonly error: ProblemView | undefined } | undefined
  readonly nextCheckAt: Date | undefined
  /** It is never asked: releases come as files. */
  readonly importOnly: boolean
}

export interface SignerView {
  readonly keyId: Shown
  /** From the certificate, as far as an authority of this machine vouches for it. */
  readonly name: Shown | undefined
  readonly organization: Shown | undefined
  readonly authority: Shown | undefined
  readonly validUntil: Date | undefined
}

/** How a version comes into use, and whether it is. */
export interface UseView {
  readonly kind: Shown
  readonly place: Shown | undefined
  /** Undefined if nobody can tell. */
  readonly version: Shown | undefined
}

/** A version that is not tried again on this machine. */
export interface BadView {
  readonly version: Shown
  /** Who found it bad. */
  readonly by: Shown
  readonly reason: Shown
  readonly at: Date | undefined
}

export interface FindingView {
  /** One of FINDINGS, or one that a newer agent knows. */
  readonly code: Shown
  readonly severity: Severity
  readonly message: Shown
  readonly hint: Shown | undefined
  readonly since: Date | undefined
}

/** What a state of an update means to a person: is it moving, is it waiting, has it ended well or badly. */
export type Phase = 'working' | 'pending' | 'done' | 'failed'

const PHASES: Readonly<Record<UpdateState, Phase>> = {
  checking: 'working',
  planned: 'working',
  downloading: 'working',
  verifying: 'working',
  staged: 'pending',
  waiting: 'pending',
  activating: 'working',
  probing: 'working',
  committed: 'done',
  'rolled-back': 'failed',
  failed: 'failed',
}

export interface UpdateView {
  readonly version: Shown
  readonly state: UpdateState
  readonly phase: Phase
  readonly haveBytes: number
  readonly totalBytes: number
  /** From 0 to 1; undefined while the size is not known. */
  readonly share: number | undefined
  readonly bytes: Update['bytes']
  readonly peers: number
  readonly startedAt: Date | undefined
  readonly endedAt: Date | undefined
  readonly error: ProblemView | undefined
}

/** An update that is over, or under way. */
export interface PastUpdateView extends UpdateView {
  /** The version exactly as the agent says it. */
  readonly key: string
}

export interface RuleView {
  readonly rule: Shown
  readonly passed: boolean
  readonly detail: Shown
  readonly version: Shown | undefined
  /** When a rule that did not pass is asked again, where time decides. */
  readonly recheckAt: Date | undefined
}

export interface ProductView {
  /** The product's name exactly as the agent says it. For the agent and for comparing only. */
  readonly key: string
  readonly name: Shown
  readonly source: Shown
  readonly channel: Shown
  readonly platform: Shown
  readonly installed: InstalledView | undefined
  readonly use: UseView | undefined
  readonly bad: readonly BadView[]
  readonly available: AvailableView | undefined
  readonly update: UpdateView | undefined
  readonly level: TrustLevel
  readonly signers: readonly SignerView[]
  readonly threshold: number
  readonly findings: readonly FindingView[]
  readonly decision: readonly RuleView[]
  /** When what stands in the way is looked at again: the first of the times of the rules. */
  readonly recheckAt: Date | undefined
  readonly decidedAt: Date | undefined
  readonly nextCheckAt: Date | undefined
  readonly seeding: ProductStatus['seeding']
  /** Its owner has said that it stays at its version. */
  readonly isHeld: boolean
  /** The version that an approval would let in. */
  readonly toApprove: ToApprove | undefined
}

/** Rules that an approval satisfies. */
export const APPROVAL_RULES: ReadonlySet<string> = new Set(['approved', 'same-signer', 'not-skipped'])

export interface ToApprove {
  readonly version: Shown
  /** The version exactly as the agent says it. */
  readonly key: string
  /** The person has said that it is never to be installed, and may change their mind. */
  readonly isSkipped: boolean
  /** Somebody else has signed it than the installed version: a decision about trust. Who, in a sentence. */
  readonly newSigner: Shown | undefined
}

export interface InstalledView {
  readonly version: Shown
  readonly path: Shown
  /** The path exactly as the agent says it. */
  readonly key: string
  readonly at: Date | undefined
}

export interface AvailableView {
  readonly version: Shown
  /** The version exactly as the agent says it. */
  readonly key: string
  readonly published: Date | undefined
  /** Markdown of the publisher, as it came. */
  readonly notes: string | undefined
}

export const agentView = ({ version, hostname, home, startedAt }: Status['agent']): AgentView => ({
  version: name(version),
  hostname: name(hostname),
  home: show(home),
  startedAt: time(startedAt),
})

export const sourceView = ({
  name: sourceName,
  url,
  root,
  expires,
  lastCheck,
  nextCheckAt,
  importOnly = false,
}: SourceStatus): SourceView => ({
  name: name(sourceName),
  key: url,
  url: show(url),
  rootVersion: root.version,
  fingerprint: show(root.fingerprint),
  pinnedBy: root.pinnedBy,
  expires: expires && { role: name(expires.role), at: time(expires.at) },
  lastCheck: lastCheck && { at: time(lastCheck.at), error: lastCheck.error && problemView(lastCheck.error) },
  nextCheckAt: optionalTime(nextCheckAt),
  importOnly,
})

export const productView = (product: ProductStatus): ProductView => ({
  key: product.name,
  name: name(product.name),
  source: name(product.source),
  channel: name(product.channel),
  platform: name(product.platform),
  installed: product.installed && {
    version: name(product.installed.version),
    path: show(product.installed.path),
    key: product.installed.path,
    at: time(product.installed.installedAt),
  },
  use: product.use && {
    kind: name(product.use.kind),
    place: product.use.place === undefined ? undefined : show(product.use.place),
    version: product.use.version === undefined ? undefined : name(product.use.version),
  },
  bad: (product.bad ?? []).map(({ version, by, reason, at }) => ({
    version: name(version),
    by: name(by),
    reason: show(reason),
    at: time(at),
  })),
  available: product.available && {
    version: name(product.available.version),
    key: product.available.version,
    published: time(product.available.published),
    notes: product.available.notes,
  },
  update: product.update && updateView(product.update),
  level: product.trust.level,
  signers: product.trust.signers.map(signerView),
  threshold: product.trust.threshold,
  findings: product.trust.findings.map(findingView),
  decision: product.decision.map(ruleView),
  recheckAt: product.decision
    .flatMap((rule) => ruleView(rule).recheckAt ?? [])
    .sort((a, b) => a.getTime() - b.getTime())[0],
  decidedAt: optionalTime(product.decidedAt),
  nextCheckAt: optionalTime(product.nextCheckAt),
  seeding: product.seeding,
  isHeld: product.decision.some(({ rule, passed }) => rule === 'not-held' && !passed),
  toApprove: versionToApprove(product),
})

const versionToApprove = ({ decision, trust: { findings } }: ProductStatus): ToApprove | undefined => {
  const notPassed = decision.filter(({ passed }) => !passed)
  const asks = notPassed.filter(({ rule }) => rule === 'approved' || rule === 'same-signer')
  const isSkipped = asks.length === 0
  const version = (asks[0] ?? notPassed.find(({ rule }) => rule === 'not-skipped'))?.version
  if (version === undefined) return undefined
  const change = asks.find((ask) => ask.rule === 'same-signer' && ask.version === version)
  const message = findings.find(({ code }) => code === 'identity-changed')?.message
  return { version: name(version), key: version, isSkipped, newSigner: change && show(message ?? change.detail) }
}

const ruleView = ({ rule, passed, detail, version, recheckAt }: Rule): RuleView => ({
  rule: show(rule),
  passed,
  detail: show(detail),
  version: version === undefined ? undefined : name(version),
  recheckAt: passed ? undefined : optionalTime(recheckAt),
})

export const updateView = (update: Update): UpdateView => ({
  version: name(update.version),
  state: update.state,
  phase: PHASES[update.state],
  haveBytes: Math.min(update.haveBytes, update.totalBytes),
  totalBytes: update.totalBytes,
  share: update.totalBytes > 0 ? Math.min(1, update.haveBytes / update.totalBytes) : undefined,
  bytes: update.bytes,
  peers: update.peers,
  startedAt: time(update.startedAt),
  endedAt: optionalTime(update.endedAt),
  error: update.error && problemView(update.error),
})

export const pastUpdateView = (update: PastUpdate): PastUpdateView => ({ ...updateView(update), key: update.version })

export const problemView = ({ code, detail, hint }: Problem): ProblemView => ({
  code: name(code),
  message: show(detail),
  hint: hint === undefined || hint === '' ? undefined : show(hint),
})

const signerView = (signer: Signer): SignerView => ({
  keyId: name(signer.keyId),
  name: optionalName(signer.name),
  organization: optionalName(signer.organization),
  authority: optionalName(signer.authority),
  validUntil: optionalTime(signer.validUntil),
})

const findingView = ({ code, severity, message, hint, since }: ReportedFinding): FindingView => ({
  code: name(code),
  severity,
  message: show(message),
  hint: hint === '' ? undefined : show(hint),
  since: time(since),
})

const name = (text: string): Shown => show(text, NAME_LENGTH_MAX)

const optionalName = (text: string | undefined): Shown | undefined =>
  text === undefined || text === '' ? undefined : name(text)

const time = (text: string): Date | undefined => {
  const date = new Date(text)
  return Number.isNaN(date.getTime()) ? undefined : date
}

const optionalTime = (text: string | undefined): Date | undefined => (text === undefined ? undefined : time(text))
