// Turns what a cycle says into rows, events and findings: each call is one transaction, so that the status and the event
// log never disagree. Decides nothing, and waits for nothing.
import type { AgentEvent, Update } from '@updraft/core/control/api'
import { problemOf } from '@updraft/core/control/problem'
import { type ErrorCode, hasCode, isUpdateError, UpdateError } from '@updraft/core/errors'
import { describeRelease, type ReleaseVersion } from '@updraft/core/names'
import type { FindingCode } from '@updraft/core/trust/finding'
import { banNotice } from './ban-notice.ts'
import type { CycleReport } from './cycle-types.ts'
import type { ProductSettings } from './settings.ts'
import type { NewFinding } from './store/findings.ts'
import type { JournalEntry } from './store/journal.ts'
import type { Store } from './store.ts'

export interface ReportOptions {
  readonly product: ProductSettings
  readonly store: Store
  readonly now: () => Date
  readonly onWarning: (message: string) => void
}

/** The report of one cycle, and what only the agent may tell it: how the cycle ended. */
export interface OpenReport {
  readonly report: CycleReport
  /** The cycle threw. An interrupted update stays open, so that the next start goes on with it. */
  failed(error: unknown): void
  /** A person lets every version be tried again: lifts the bad marks, and answers with what was marked. */
  pardoned(): readonly ReleaseVersion[]
}

export const openReport = ({ product, store, now, onWarning }: ReportOptions): OpenReport => {
  const { name, source, install } = product
  let wasRefreshed = false
  let transferredAt = Number.NEGATIVE_INFINITY

  const append = (event: AgentEvent) => store.events.append(event, at())
  const at = () => now().toISOString()
  const appendUpdate = () => {
    const entry = store.journal.latest(name)
    if (entry !== undefined) append({ kind: 'update', product: name, update: updateOf(entry) })
  }
  const raise = (finding: NewFinding) => {
    const raised = store.findings.raise(name, finding, at())
    if (raised !== undefined) append({ kind: 'finding', product: name, finding: raised })
  }
  const clear = (code: FindingCode) => {
    if (store.findings.clear(name, code, at())) append({ kind: 'finding-cleared', product: name, code })
  }
  /** A version is in place that has yet to be probed or left: the next look goes on there, whatever stood in the way. */
  const isToBeFinished = () => {
    const open = store.journal.open(name)
    return open !== undefined && (open.state === 'probing' || store.badMarks.of(name, open.version) !== undefined)
  }
  const endUpdate = (error: unknown) => {
    if (store.journal.open(name) === undefined) return
    store.journal.end(name, 'failed', at(), problemOf(error))
    appendUpdate()
  }

  const report: CycleReport = {
    refreshed: ({ rootVersion, expires, findings }) =>
      store.transaction(() => {
        wasRefreshed = true
        const banned = banNotice(store.bans.of(name, at()))
        const all = banned === undefined ? findings : [...findings, banned]
        store.checks.succeeded({ source, product: name, at: at() }, expires, rootVersion)
        append({ kind: 'check', source })
        const seen = new Set(all.map(({ code }) => code))
        for (const { code } of store.findings.open(name)) if (!seen.has(code) && !UNTIL_INSTALLED.has(code)) clear(code)
        for (const finding of all) raise(finding)
      }),

    notAsked: () =>
      store.transaction(() => {
        if (store.checks.product(name)?.problem?.code === 'SOURCE_UNREACHABLE') store.checks.forget(name)
        clear('source-unreachable')
      }),

    decided: ({ available, rules, update, later, signers, threshold }) =>
      store.transaction(() => {
        store.checks.decided({ product: name, at: at(), available, rules, signers, threshold })
        const open = store.journal.open(name)
        const goesOn = [update, later].some(
          (release) => open?.version === release?.version && open?.platform === release?.platform,
        )
        if (open !== undefined && !goesOn) {
          const instead = update === undefined ? 'it is no longer wanted' : `${describeRelease(update)} took its place`
          endUpdate(new UpdateError('ABORTED', `the update to ${open.version} was given up: ${instead}`))
        }
      }),

    entering: (release, state) =>
      store.transaction(() => {
        if (state === 'activating') store.activations.doubt(name)
        store.journal.enter(release, state, at())
        appendUpdate()
      }),

    transferring: ({ haveBytes, totalBytes, bytes, peers }) => {
      const time = now().getTime()
      // `abs`, so that a clock that was set back cannot silence the report until it has caught up.
      if (haveBytes < totalBytes && Math.abs(time - transferredAt) < TRANSFER_INTERVAL_MS) return
      transferredAt = time
      store.transaction(() => {
        store.journal.transfer(name, { haveBytes, totalBytes, bytes, peers })
        appendUpdate()
      })
    },

    installed: ({ version, platform, path, signers, threshold }) =>
      store.transaction(() => {
        const previous = store.installed.current(name)?.version
        store.installed.makeCurrent({
          product: name,
          version,
          platform,
          source,
          path,
          signers,
          threshold,
          installedAt: at(),
        })
        // At another place it may be in use as well: keepInUse leaves that, and has to know of it.
        store.activations.put(name, store.activations.of(name)?.install ?? install, version)
        if (store.journal.open(name) !== undefined) {
          store.journal.end(name, 'committed', at())
          appendUpdate()
        }
        append({ kind: 'installed', product: name, version, ...(previous === undefined ? {} : { previous }) })
        for (const code of [...UNTIL_INSTALLED, ...ABOUT_INSTALLED]) clear(code)
      }),

    condemned: ({ release, by, error, goTo }) =>
      store.transaction(() => {
        const open = store.journal.open(name)
        if (open !== undefined && open.version !== release.version) {
          endUpdate(new UpdateError('ABORTED', `the update to ${open.version} was given up: ${error.message}`))
        }
        // What was committed is left by an update of its own.
        if (store.journal.open(name) === undefined) store.journal.enter(release, 'activating', at())
        store.activations.doubt(name)
        store.badMarks.put({ product: name, version: release.version, by, problem: problemOf(error), at: at() })
        if (goTo === undefined) return
        store.badMarks.lift(name, goTo.version)
        store.installed.makeCurrent({ ...goTo, installedAt: at() })
      }),

    rolledBack: ({ version: left }) =>
      store.transaction(() => {
        const mark = store.badMarks.of(name, left)
        store.journal.end(name, 'rolled-back', at(), mark?.problem)
        appendUpdate()
        if (mark !== undefined && mark.by !== 'person') {
          raise({ code: 'release-unhealthy', message: mark.problem.detail, hint: mark.problem.hint ?? '' })
        }
        const version = store.installed.current(name)?.version
        if (mark?.by === 'person' && version !== undefined) {
          append({ kind: 'installed', product: name, version, previous: left })
        }
      }),

    inUse: (version) =>
      store.transaction(() => {
        store.activations.put(name, install, version)
        clear('not-in-use')
      }),

    notInUse: (error) =>
      store.transaction(() => {
        onWarning(`what is in use is not the installed version: ${error.message}`)
        store.activations.doubt(name)
        raise({ code: 'not-in-use', message: error.message, hint: error.hint ?? '' })
      }),

    seeding: ({ release, name: bundle, infoHash, trackers, lengthBytes, stamp }) =>
      store.transaction(() => {
        const { version, platform } = release
        store.seeds.put({
          name: bundle,
          product: name,
          version,
          platform,
          infoHash,
          trackers,
          lengthBytes,
          since: at(),
          stamp,
        })
        append({ kind: 'seeding', product: name, version })
      }),

    warning: onWarning,
  }

  const failed = (error: unknown) => {
    // What a failed probe led to has been told already, and says nothing about the source.
    if (hasCode(error, 'ABORTED') || hasCode(error, 'PROBE_FAILED') || hasCode(error, 'ACTIVATION_FAILED')) return
    store.transaction(() => {
      if (!wasRefreshed) {
        store.checks.failed({ source, product: name, at: at() }, problemOf(error))
        append({ kind: 'check', source, error: problemOf(error) })
      }
      const finding = findingOf(error, wasRefreshed)
      if (finding !== undefined) {
        raise(finding)
        // A source that was reached and refused is no longer out of reach. What was wrong before stays until a check
        // succeeds: that nobody answers now says nothing about it.
        if (finding.code !== 'source-unreachable') clear('source-unreachable')
      }
      if (!isToBeFinished() || hasCode(error, 'STATE_DAMAGED')) endUpdate(error)
    })
  }

  const pardoned = () =>
    store.transaction(() => {
      const versions = store.badMarks.all(name).map(({ version }) => version)
      for (const version of versions) store.badMarks.lift(name, version)
      clear('release-unhealthy')
      return versions
    })

  return { report, failed, pardoned }
}

/** A journal entry as the control API shows it. */
export const updateOf = (entry: JournalEntry): Update => {
  const { version, state, haveBytes, totalBytes, bytes, peers, startedAt, endedAt, problem } = entry
  return {
    version,
    state,
    haveBytes,
    totalBytes,
    bytes,
    peers,
    startedAt,
    ...(endedAt === undefined ? {} : { endedAt }),
    ...(problem === undefined ? {} : { error: problem }),
  }
}

/** Twice a second moves a progress bar smoothly and keeps a long download from filling the event log. */
const TRANSFER_INTERVAL_MS = 500

/** Findings about bytes and versions: a good refresh says nothing about them, an installation does. */
const UNTIL_INSTALLED: ReadonlySet<FindingCode> = new Set<FindingCode>([
  'bundle-tampered',
  'swarm-stalled',
  'release-unhealthy',
  'not-in-use',
])

/** What was installed is another release now. */
const ABOUT_INSTALLED: readonly FindingCode[] = ['release-yanked', 'identity-changed']

const findingOf = (error: unknown, afterRefresh: boolean): NewFinding | undefined => {
  if (!isUpdateError(error)) return undefined
  const code = findingCodeOf(error.code, afterRefresh)
  return code === undefined ? undefined : { code, message: error.message, hint: error.hint ?? '' }
}

/** The finding that an error is told as, if it is one about trust. */
export const findingCodeOf = (code: ErrorCode, afterRefresh: boolean): FindingCode | undefined =>
  (afterRefresh ? FINDING_AFTER_REFRESH : FINDING_IN_REFRESH)[code]

const FINDING_IN_REFRESH: Partial<Record<ErrorCode, FindingCode>> = {
  ROOT_UNKNOWN: 'root-unknown',
  METADATA_UNTRUSTED: 'metadata-untrusted',
  METADATA_ROLLBACK: 'metadata-rollback',
  METADATA_EXPIRED: 'metadata-expired',
  METADATA_POLICY: 'metadata-policy',
  LIMIT_EXCEEDED: 'metadata-policy',
  RELEASE_INVALID: 'release-invalid',
  SOURCE_UNREACHABLE: 'source-unreachable',
}

const FINDING_AFTER_REFRESH: Partial<Record<ErrorCode, FindingCode>> = {
  RELEASE_INVALID: 'release-invalid',
  BUNDLE_INVALID: 'bundle-tampered',
  METAINFO_INVALID: 'bundle-tampered',
  LIMIT_EXCEEDED: 'bundle-tampered',
  SWARM_STALLED: 'swarm-stalled',
  SOURCE_UNREACHABLE: 'source-unreachable',
}
