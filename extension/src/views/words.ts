// The words for states, trust and findings, in the language of the screen. The only place where they are chosen.
import type { UpdateState } from '@updraft/core/control/api'
import type { Severity, TrustLevel } from '@updraft/core/trust/finding'
import { env, l10n, ThemeColor, ThemeIcon } from 'vscode'
import { nameOfFinding } from '../finding-names.ts'
import { formatBytes, formatShare, formatTime } from '../quantities.ts'
import type { Model } from '../state.ts'
import type { Shown } from '../text.ts'
import type { ProductView, SourceView, UpdateView } from '../view-model.ts'

export const bytes = (lengthBytes: number): Shown => formatBytes(lengthBytes, env.language)
export const share = (part: number): Shown => formatShare(part, env.language)
export const time = (date: Date | undefined): Shown => formatTime(date, env.language)

export const levelWord = (level: TrustLevel): string => {
  switch (level) {
    case 'trusted':
      return l10n.t('Trusted')
    case 'attention':
      return l10n.t('Needs attention')
    case 'untrusted':
      return l10n.t('Update blocked')
  }
}

export const stateWord = (state: UpdateState): string => {
  switch (state) {
    case 'checking':
      return l10n.t('Checking')
    case 'planned':
      return l10n.t('Planned')
    case 'downloading':
      return l10n.t('Downloading')
    case 'verifying':
      return l10n.t('Verifying')
    case 'staged':
      return l10n.t('Ready to install')
    case 'waiting':
      return l10n.t('Waiting')
    case 'activating':
      return l10n.t('Installing')
    case 'probing':
      return l10n.t('Testing')
    case 'committed':
      return l10n.t('Installed')
    case 'rolled-back':
      return l10n.t('Rolled back')
    case 'failed':
      return l10n.t('Failed')
  }
}

export const pinnedWord = (pinnedBy: SourceView['pinnedBy']): string => {
  switch (pinnedBy) {
    case 'file':
      return l10n.t('given as a file')
    case 'fingerprint':
      return l10n.t('compared by its fingerprint')
    case 'first-use':
      return l10n.t('trusted on first use, never compared')
  }
}

/** `1.0.0 → 1.1.0`, or as much of it as there is. */
export const versionsOf = ({ installed, available, update }: ProductView): string => {
  const next = update?.phase === 'working' || update?.phase === 'pending' ? update.version : available?.version
  if (installed === undefined) {
    return next === undefined ? l10n.t('not installed') : l10n.t('{0} available', next)
  }
  return next === undefined || next === installed.version ? installed.version : `${installed.version} → ${next}`
}

/** `Downloading 42%`, or only the state when its share means nothing. */
export const progressOf = (update: UpdateView): string =>
  update.state === 'downloading' && update.share !== undefined
    ? `${stateWord(update.state)} ${share(update.share)}`
    : stateWord(update.state)

/** `42%`, or the state: for where there is no room for both. */
export const briefProgressOf = (update: UpdateView): string =>
  update.state === 'downloading' && update.share !== undefined ? share(update.share) : stateWord(update.state)

/** `12 MB of 30 MB, 3 peers` */
export const transferOf = ({ haveBytes, totalBytes, peers }: UpdateView): string =>
  [
    l10n.t('{0} of {1}', bytes(haveBytes), bytes(totalBytes)),
    peers === 1 ? l10n.t('1 peer') : l10n.t('{0} peers', peers),
  ].join(', ')

/** `12 MB from peers, 3 MB from the publisher, 40 MB reused` */
export const bytesFrom = ({ peers, origin, reused }: UpdateView['bytes']): string =>
  l10n.t('{0} from peers, {1} from the publisher, {2} reused', bytes(peers), bytes(origin), bytes(reused))

/** A fingerprint as two people read it to each other: two lines of eight groups of four digits. */
export const groupsOf = (fingerprint: string): readonly string[] =>
  (fingerprint.replace(/^sha256:/, '').match(/.{1,32}/g) ?? []).map((line) => (line.match(/.{1,4}/g) ?? []).join(' '))

/** `2 signatures, 2 needed` */
export const signaturesOf = ({ signers, threshold }: ProductView): string =>
  signers.length === 1
    ? l10n.t('1 signature, {0} needed', threshold)
    : l10n.t('{0} signatures, {1} needed', signers.length, threshold)

/** What a rule of a decision asks. One of a newer agent keeps its own name. */
export const ruleWord = (rule: string): string => RULES[rule]?.() ?? rule

/** Functions, because the language of the screen is known only when they are asked. */
const RULES: Readonly<Record<string, (() => string) | undefined>> = {
  __proto__: null as never,
  subscribed: () => l10n.t('In the agent’s settings'),
  signed: () => l10n.t('Signed by the publisher'),
  channel: () => l10n.t('In the channel'),
  platform: () => l10n.t('For this platform'),
  'not-yanked': () => l10n.t('Not withdrawn'),
  'way-out': () => l10n.t('A replacement for the withdrawn version'),
  'version-range': () => l10n.t('In the version range'),
  newer: () => l10n.t('Newer than what is installed'),
  'bad-mark': () => l10n.t('Worked on this machine'),
  'not-skipped': () => l10n.t('Not skipped'),
  'agent-version': () => l10n.t('The agent is new enough'),
  'previous-version': () => l10n.t('The installed version is new enough'),
  rollout: () => l10n.t('The rollout has reached this machine'),
  'minimum-age': () => l10n.t('Old enough'),
  approved: () => l10n.t('Approved'),
  'same-signer': () => l10n.t('Signed by the same people as before'),
  'disk-space': () => l10n.t('Fits on the disk'),
  'not-held': () => l10n.t('Not held'),
  window: () => l10n.t('Inside a maintenance window'),
  battery: () => l10n.t('Enough power'),
  metered: () => l10n.t('Not on a metered connection'),
  load: () => l10n.t('The machine is not too busy'),
  chosen: () => l10n.t('Chosen'),
}

/** Inside a sentence; `findingTitle` is for where it stands alone. */
export const findingName = (code: string): string => l10n.t(nameOfFinding(code))
export const findingTitle = (code: string): string => sentence(findingName(code))

/**
 * A sentence for people: the agent's begin in lower case, so that they can stand inside others. One that begins with the
 * name of a file or with an address stays as it is.
 */
export const sentence = (text: string): string =>
  /^\p{Ll}+(?![\p{L}.:/_-])/u.test(text) ? text.charAt(0).toLocaleUpperCase() + text.slice(1) : text

export const severityWord = (severity: Severity): string => {
  switch (severity) {
    case 'info':
      return l10n.t('For information')
    case 'warning':
      return l10n.t('Warning')
    case 'error':
      return l10n.t('Error: something was refused')
  }
}

export const severityIcon = (severity: Severity): ThemeIcon => {
  switch (severity) {
    case 'info':
      return new ThemeIcon('info')
    case 'warning':
      return new ThemeIcon('warning', new ThemeColor('notificationsWarningIcon.foreground'))
    case 'error':
      return new ThemeIcon('error', new ThemeColor('notificationsErrorIcon.foreground'))
  }
}

export const levelIcon = (level: TrustLevel): ThemeIcon => {
  switch (level) {
    case 'trusted':
      return new ThemeIcon('verified', new ThemeColor('charts.green'))
    case 'attention':
      return severityIcon('warning')
    case 'untrusted':
      return severityIcon('error')
  }
}

/** Why there is no agent, in one line. */
export const linkWord = (link: Model['link']): string => {
  switch (link) {
    case 'connecting':
      return l10n.t('looking for the agent')
    case 'connected':
      return l10n.t('connected')
    case 'not-running':
      return l10n.t('no agent is running')
    case 'no-permission':
      return l10n.t('no permission to talk to the agent')
    case 'incompatible':
      return l10n.t('the agent’s answer is not understood')
    case 'misconfigured':
      return l10n.t('the agent’s address is not usable')
  }
}
