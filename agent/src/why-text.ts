// Why a product is at the version it is at, in words: what is there, each rule of the last decision, what was refused, and
// when it will be looked at again. Pure.
import type { ProductStatus, Rule, SourceStatus } from '@updraft/core/control/api'
import { span, spanUntil, timeText } from '@updraft/core/terminal/plain-text'
import { titleOfFinding } from '@updraft/core/trust/finding'
import { signersText, stateOf, VERIFICATION_TEXTS, versionOfUse } from './status-text.ts'

/** What is known about one product; of its source, if that is still trusted. */
export interface Why {
  readonly running: boolean
  readonly product: ProductStatus
  readonly source: SourceStatus | undefined
}

export const textOfWhy = ({ running, product, source }: Why, now: Date): string => {
  const { name, installed, use, available, decision, decidedAt, trust, update } = product
  return [
    `${name}: ${stateOf(product, running)}`,
    '',
    line('installed', installed === undefined ? 'nothing' : `${installed.version}, ${ago(installed.installedAt, now)}`),
    ...(use === undefined || use.place === undefined
      ? []
      : [line('in use', `as ${use.kind}, ${use.place}${versionOfUse(use, installed)}`)]),
    line(
      'available',
      available === undefined ? 'nothing that is known' : `${available.version}, published ${day(available.published)}`,
    ),
    line('signed by', signersText(trust.signers)),
    ...(trust.verification === undefined ? [] : [line('verified', VERIFICATION_TEXTS[trust.verification])]),
    line('source', sourceText(product, source, now)),
    line('next look', nextText({ product, running, source }, now)),
    '',
    decidedAt === undefined ? 'Nothing has been decided yet:' : `Decided ${ago(decidedAt, now)}:`,
    ...decision.map((rule) => ruleText(rule, now)),
    ...(update?.error === undefined || trust.findings.some(({ message }) => message === update.error?.detail)
      ? [] // Or a finding says the same.
      : ['', `The update to ${update.version} ended: ${update.error.detail} (${update.error.code})`]),
    ...trust.findings.flatMap(({ code, message, hint }) => [
      '',
      `${titleOfFinding(code)} (${code})`,
      `  ${message}`,
      ...(hint === '' ? [] : [`  hint: ${hint}`]),
    ]),
  ].join('\n')
}

const line = (label: string, text: string): string => `  ${label.padEnd(10)} ${text}`

const ruleText = ({ rule, passed, detail, recheckAt }: Rule, now: Date): string => {
  const again =
    recheckAt === undefined ? '' : `; looked at again ${spanUntil(recheckAt, now)} (${timeText(recheckAt)} UTC)`
  return `  ${passed ? 'yes' : 'NO '}  ${rule}: ${detail}${again}`
}

const ago = (at: string, now: Date): string => `${span(at, now)} ago`

const day = (at: string): string => timeText(at).slice(0, 10)

const sourceText = (
  { source, channel, platform, lastCheck }: ProductStatus,
  known: SourceStatus | undefined,
  now: Date,
) => {
  const last = lastCheck ?? known?.lastCheck
  const checked =
    known === undefined
      ? 'not trusted on this machine'
      : last === undefined
        ? 'never checked'
        : `checked ${ago(last.at, now)}${last.error === undefined ? '' : `, failed: ${last.error.detail}`}`
  return `${source}${channel === '' ? '' : `, channel ${channel}`}, for ${platform}; ${checked}`
}

const nextText = ({ product: { nextCheckAt, decision }, running, source }: Why, now: Date): string => {
  if (decision.some(({ rule, passed }) => rule === 'subscribed' && !passed)) return 'never: it is not subscribed to'
  if (!running) return 'when the agent runs again: updraft-agent run'
  if (source?.importOnly) return 'when a file is imported: its source is not asked'
  return nextCheckAt === undefined ? 'under way now' : `${spanUntil(nextCheckAt, now)} (${timeText(nextCheckAt)} UTC)`
}
