// The status as a person reads it: one line per product and source, then what needs attention. Pure.
import type { ProductStatus, Signer, SourceStatus, Status } from '@updraft/core/control/api'
import { count, span, spanUntil, table } from '@updraft/core/terminal/plain-text'
import { formatBytes } from '@updraft/core/terminal/progress'
import { type ReportedFinding, titleOfFinding } from '@updraft/core/trust/finding'
import { pauseText } from './manners/terms.ts'
import type { StateOfAll } from './status.ts'

/** The status of a running agent, or with `agent: null` what one that does not run last knew. */
export type StatusView = StateOfAll & Pick<Status, 'sharing'> & { readonly agent: Status['agent'] | null }

export const textOfStatus = ({ agent, products, sources, sharing }: StatusView, now: Date): string =>
  [
    headOf(agent, now),
    products.length === 0
      ? 'No product is subscribed to. Subscribe with: updraft-agent install PRODUCT'
      : table(
          ['PRODUCT', 'INSTALLED', 'AVAILABLE', 'STATE', 'TRUST', 'SIGNED BY', 'SOURCE'],
          products.map((product) => productRow(product, agent !== null)),
        ),
    sources.length === 0
      ? 'No source is trusted. Add one with: updraft-agent trust add URL --root FILE'
      : table(
          ['SOURCE', 'CHECKED', 'NEXT CHECK', 'EXPIRES', 'ROOT'],
          sources.map((source) => sourceRow(source, now)),
        ),
    ...sources.flatMap((source) => sourceTrouble(source, products)),
    ...products.flatMap(useText),
    ...products.flatMap(updateTrouble),
    ...products.flatMap((product) => badText(product, now)),
    ...products.flatMap(lowered),
    ...products.flatMap(({ name, trust }) => trust.findings.map((finding) => findingText(name, finding, now))),
    ...seedingText(products),
    ...sharingText(sharing),
  ].join('\n\n')

const NOT_RUNNING = `No agent is running; this is what it last knew. Start it with: updraft-agent run
(If the agent of the machine is meant: updraft-agent service status; UPDRAFT_SYSTEM=1 updraft-agent status)`

const headOf = (agent: Status['agent'] | null, now: Date): string => {
  if (agent === null) return NOT_RUNNING
  const { version, hostname, pid, startedAt, swarmPort, home, controlUrl } = agent
  const port = swarmPort === 0 ? 'its swarm is not open' : `peers reach port ${swarmPort}`
  return `Agent ${version} runs on ${hostname} since ${span(startedAt, now)} (process ${pid}, ${port}, home ${home})${
    controlUrl === undefined ? '' : `\nIts control API is at ${controlUrl} as well`
  }`
}

const productRow = (product: ProductStatus, running: boolean): readonly string[] => [
  product.name,
  product.installed?.version ?? '-',
  product.available?.version ?? '-',
  stateOf(product, running),
  product.trust.level,
  signersText(product.installed?.signers ?? product.trust.signers),
  product.source,
]

/** What goes on with the product, in a few words. */
export const stateOf = ({ installed, available, update, decision }: ProductStatus, running: boolean): string => {
  if (update !== undefined && update.endedAt === undefined) {
    const share = update.totalBytes === 0 ? '' : ` ${Math.floor((update.haveBytes / update.totalBytes) * 100)} %`
    const what = update.state === 'downloading' ? `downloading${share}` : update.state
    const peers = update.state === 'downloading' && running ? `, ${count(update.peers, 'peer')}` : ''
    return running ? `${what} (${update.version}${peers})` : `interrupted at ${what} (${update.version})`
  }
  if (hasFailed({ installed, update })) {
    return `${update?.state === 'rolled-back' ? 'rolled back' : 'failed'} (${update?.version})`
  }
  const noWayOut = decision.find(({ rule, passed }) => rule === 'way-out' && !passed)
  if (noWayOut !== undefined) return `stays: ${noWayOut.detail}`
  const refusal = decision.findLast(({ passed }) => !passed)?.detail
  if (installed === undefined) return refusal === undefined ? 'not looked at yet' : `not installed: ${refusal}`
  if (available === undefined || available.version === installed.version) {
    return decision.some(({ rule, passed }) => rule === 'subscribed' && !passed)
      ? `not updated: ${refusal}`
      : 'up to date'
  }
  return refusal === undefined ? 'waiting' : `stays: ${refusal}`
}

/** The last update failed, and nothing that came later has made up for it. */
const hasFailed = ({ installed, update }: Pick<ProductStatus, 'installed' | 'update'>): boolean =>
  update?.error !== undefined && update.version !== installed?.version

export const VERIFICATION_TEXTS = {
  strict: 'strict: every trust finding stops updates',
  permissive: 'permissive: expiry and revocation are only told',
  audit: 'audit: only what is wrongly signed stops updates; all else is only told',
} as const

export const signersText = (signers: readonly Signer[]): string =>
  signers.length === 0 ? '-' : signers.map(signerText).join(', ')

const signerText = ({ name, authority, keyId }: Signer): string =>
  name === undefined ? `key ${keyId.slice(0, 8)}` : `${name}${authority === undefined ? '' : ` (${authority})`}`

const sourceRow = (
  { name, lastCheck, nextCheckAt, expires, root, importOnly }: SourceStatus,
  now: Date,
): readonly string[] => [
  name,
  lastCheck === undefined
    ? 'never'
    : `${span(lastCheck.at, now)} ago${lastCheck.error === undefined ? '' : ', failed'}`,
  importOnly ? 'by import only' : nextCheckAt === undefined ? '-' : spanUntil(nextCheckAt, now),
  expires === undefined ? '-' : expiryText(expires, now),
  `version ${root.version}, pinned by ${PINNED_BY[root.pinnedBy]}`,
]

const PINNED_BY = { file: 'file', fingerprint: 'fingerprint', 'first-use': 'first use: never compared' } as const

const expiryText = ({ role, at }: NonNullable<SourceStatus['expires']>, now: Date): string =>
  Date.parse(at) <= now.getTime() ? `${role} expired ${span(at, now)} ago` : `${role} in ${span(at, now)}`

/** Why the source could not be checked, unless a finding says the same. */
const sourceTrouble = ({ name, lastCheck }: SourceStatus, products: readonly ProductStatus[]): readonly string[] => {
  if (lastCheck?.error === undefined) return []
  const { detail, hint } = lastCheck.error
  if (products.some(({ trust }) => trust.findings.some(({ message }) => message === detail))) return []
  return [`! source ${name} could not be checked\n  ${detail}${hint === undefined ? '' : `\n  hint: ${hint}`}`]
}

/** Where a product is in use, if that is not its folder. */
const useText = ({ name, use, installed }: ProductStatus): readonly string[] =>
  use === undefined || use.kind === 'directory' || installed === undefined
    ? []
    : [
        `${name} is in use as ${use.kind}${use.place === undefined ? '' : ` ${use.place}`}${versionOfUse(use, installed)}`,
      ]

/** Said only where it is another one than the installed. */
export const versionOfUse = (
  { version }: NonNullable<ProductStatus['use']>,
  installed: ProductStatus['installed'],
): string => {
  if (version === installed?.version) return ''
  return version === undefined ? ', and which version that is, is not known' : `, version ${version}`
}

const badText = ({ name, bad = [] }: ProductStatus, now: Date): readonly string[] =>
  bad.length === 0
    ? []
    : [
        `${name}: not tried again on this machine, until: updraft-agent retry ${name}\n${bad
          .map(({ version, by, reason, at }) => `  ${version}, marked by ${by} ${span(at, now)} ago: ${reason}`)
          .join('\n')}`,
      ]

/** Whoever looks should see that some findings do not stop updates here. */
const lowered = ({ name, trust: { verification } }: ProductStatus): readonly string[] =>
  verification === undefined || verification === 'strict'
    ? []
    : [`i ${name}: verified as ${VERIFICATION_TEXTS[verification]}`]

/** Why the last update failed, unless a finding says the same. */
const updateTrouble = ({ name, installed, update, trust }: ProductStatus): readonly string[] => {
  if (update?.error === undefined || !hasFailed({ installed, update })) return []
  if (trust.findings.some(({ message }) => message === update.error?.detail)) return []
  const { detail, hint } = update.error
  const ended = update.state === 'rolled-back' ? 'was rolled back' : 'failed'
  return [
    `! ${name}: the update to ${update.version} ${ended}\n  ${detail}${hint === undefined ? '' : `\n  hint: ${hint}`}`,
  ]
}

const findingText = (product: string, { code, severity, message, hint, since }: ReportedFinding, now: Date): string => {
  const mark = severity === 'info' ? 'i' : '!'
  const advice = hint === '' ? '' : `\n  hint: ${hint}`
  return `${mark} ${product}: ${titleOfFinding(code)} (${code}, for ${span(since, now)})\n  ${message}${advice}`
}

const seedingText = (products: readonly ProductStatus[]): readonly string[] => {
  const sum = (of: (seeding: ProductStatus['seeding']) => number) =>
    products.reduce((total, { seeding }) => total + of(seeding), 0)
  const releases = sum((seeding) => seeding.releases)
  if (releases === 0) return []
  const [peers, uploaded] = [sum((seeding) => seeding.peers), formatBytes(sum((seeding) => seeding.uploadedBytes))]
  return [`Shares ${count(releases, 'release')} with ${count(peers, 'peer')}; gave ${uploaded} since the start.`]
}

/** Only where the owner has set a limit to it. */
const sharingText = (sharing: Status['sharing']): readonly string[] => {
  if (sharing === undefined) return []
  const { month, sentBytes, quotaBytes, paused } = sharing
  const ofQuota = quotaBytes === undefined ? '' : ` of ${formatBytes(quotaBytes)}`
  const sent = `gave ${formatBytes(sentBytes.outside)}${ofQuota} out of the LAN in ${month}`
  if (paused !== undefined) return [`Gives nothing out of the LAN: ${pauseText(paused)}; ${sent}.`]
  return quotaBytes === undefined ? [] : [`${sent.charAt(0).toUpperCase()}${sent.slice(1)}.`]
}
