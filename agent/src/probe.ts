// Asks an installed version whether it works, in the way that the machine's owner has set. The only maker of HealthyVersion.
// Changes nothing: what becomes of a version that is not well is decided in cycle.ts and done in rollback.ts.
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import { endLeftovers } from './hook/leftovers.ts'
import { type HookOptions, runHook, wordsOfEnding } from './hook.ts'
import type { InstalledVersion } from './install.ts'
import { askAddress } from './probe/http.ts'
import type { Probe } from './settings/probe.ts'

declare const healthy: unique symbol

/** An installed version that has passed the probe of its product, or whose owner has set none. */
export type HealthyVersion = InstalledVersion & { readonly [healthy]: true }

export interface ProbeOptions {
  readonly probe: Probe | undefined
  /** How often in a row an agent ended, not in good order, while it probed this version. */
  readonly interruptions: number
  readonly signal: AbortSignal
}

/**
 * Probes the version, as often as the settings allow.
 *
 * Errors: PROBE_FAILED with which probe, how it ended the last time, and its last line; ABORTED. No process is left behind.
 */
export const probeVersion = async (
  installed: InstalledVersion,
  { probe, interruptions, signal }: ProbeOptions,
): Promise<HealthyVersion> => {
  if (probe === undefined) return installed as HealthyVersion
  await endLeftovers(markOf(installed)) // Of an agent that was killed while it probed.
  if (interruptions >= LIMITS.probeInterruptionsMax) {
    throw failed(installed, `the agent ended ${interruptions} times while it probed ${installed.version}`)
  }
  let how: string | undefined
  for (let attempt = 1; attempt <= probe.attempts; attempt += 1) {
    if (attempt > 1) await waitSeconds(probe.intervalSeconds, signal)
    how = await attemptOnce(installed, probe, signal)
    if (!(await isThere(installed))) throw failed(installed, `the probe ${nameOf(probe)} removed ${installed.version}`)
    if (how === undefined) return installed as HealthyVersion
  }
  const often = probe.attempts === 1 ? '' : ` at each of ${probe.attempts} attempts, at last`
  throw failed(installed, `the probe ${nameOf(probe)} of ${installed.version} failed${often}: it ${how}`)
}

/** What `path` leads to is the version: a probe may have removed either. */
const isThere = async ({ path, versionPath }: InstalledVersion): Promise<boolean> => {
  const found = await Promise.all([path, versionPath].map((place) => stat(place).catch(() => undefined)))
  return found[0] !== undefined && found[0].ino === found[1]?.ino
}

const failed = ({ product, version }: InstalledVersion, message: string): UpdateError =>
  new UpdateError('PROBE_FAILED', message, {
    hint: `${version} is not tried again on this machine; a newer release is, and this one after: updraft-agent retry ${product}`,
  })

/** Undefined if the version is healthy, else what happened instead. */
const attemptOnce = async (
  installed: InstalledVersion,
  probe: Probe,
  signal: AbortSignal,
): Promise<string | undefined> => {
  const timeoutMs = probe.timeoutSeconds * 1_000
  switch (probe.kind) {
    case 'http':
      return askAddress(probe.url, { timeoutMs, signal })
    case 'command': {
      const options = { ...hookOptions(installed, signal), timeMs: timeoutMs, atTheEnd: 'kill' } as const
      const ended = await runHook(probe.command, options)
      const isWell = ended.ending.kind === 'exit' && ended.ending.code === 0
      return isWell ? undefined : wordsOfEnding(ended, `still ran after ${probe.timeoutSeconds} s and was killed`)
    }
    case 'stay-up': {
      const options = { ...hookOptions(installed, signal), timeMs: probe.seconds * 1_000, atTheEnd: 'ask' } as const
      const ended = await runHook(probe.command, options)
      return ended.ending.kind === 'ran'
        ? undefined
        : `${wordsOfEnding(ended, '')}, before its ${probe.seconds} s were over`
    }
  }
}

const hookOptions = (installed: InstalledVersion, signal: AbortSignal) =>
  ({
    directory: installed.versionPath,
    environment: { UPDRAFT_PRODUCT: installed.product, UPDRAFT_VERSION: installed.version },
    mark: markOf(installed),
    signal,
  }) satisfies Partial<HookOptions>

/** The same for all versions of a product: two probes of one product never run at once. */
const markOf = ({ path }: InstalledVersion): string => dirname(path)

const nameOf = (probe: Probe): string => (probe.kind === 'http' ? probe.url : JSON.stringify(probe.command.join(' ')))

/** Errors: the reason of the signal. */
const waitSeconds = async (seconds: number, signal: AbortSignal): Promise<void> => {
  await wait(seconds * 1_000, undefined, { signal }).catch(() => {}) // Only the signal can end it early.
  signal.throwIfAborted()
}
