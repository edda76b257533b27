// Keeps what the origin serves from expiring: has snapshot and timestamp renewed in time if the online keys are here, and
// otherwise says loudly what will expire and when. Which role is due, and the signing, is the publisher's renewal.
import { setTimeout as delay } from 'node:timers/promises'
import { hasCode, isUpdateError, messageOf, systemCodeOf } from '@updraft/core/errors'
import { type KeySource, openSigners } from '../keys/signer.ts'
import { ONLINE_ROLES, renewOnlineRoles } from '../renew.ts'
import { type Repository, rolesNamed } from '../repository.ts'
import { expiryProblems } from './expiry.ts'
import type { Log } from './log.ts'
import type { Problem } from './problem.ts'

export interface OriginRenewal extends AsyncDisposable {
  problems(): readonly Problem[]
}

export interface OriginRenewalOptions {
  /** The repository as the origin knows it at the moment. */
  readonly repository: () => Repository
  /** Undefined if the origin shall not renew anything. */
  readonly keys: KeySource | undefined
  readonly now: () => Date
  readonly log: Log
  /** The longest that it sleeps, so that a machine that was suspended is not late by more. */
  readonly checkEveryMs?: number | undefined
  /** How soon it tries again while somebody publishes, or after a failure. */
  readonly retryMs?: number | undefined
}

const CHECK_EVERY_MS = 60 * 60 * 1_000
const RETRY_MS = 60 * 1_000
const NOTICE_EVERY_MS = 24 * 60 * 60 * 1_000

/**
 * Renews once if something is due, then goes on in the background until it is disposed of. Online keys that are absent
 * are a warning: the origin serves all the same.
 *
 * Errors: PASSPHRASE_WRONG, since whoever gave it can correct it now; ABORTED.
 */
export const startRenewal = async (options: OriginRenewalOptions): Promise<OriginRenewal> => {
  const { repository, now, log, checkEveryMs = CHECK_EVERY_MS, retryMs = RETRY_MS } = options
  const usable = await usableKeys(options)
  const stopped = new AbortController()
  let failure: Problem | undefined = usable.failure
  let noticedAt = Number.NEGATIVE_INFINITY

  const problemsOf = (current: Repository): readonly Problem[] => [
    ...(failure === undefined ? [] : [failure]),
    ...expiryProblems(current, now()),
  ]

  const noticeDaily = (current: Repository): void => {
    if (now().getTime() - noticedAt < NOTICE_EVERY_MS) return
    const problems = problemsOf(current)
    if (problems.length > 0) noticedAt = now().getTime()
    for (const { summary, detail } of problems) log.warn(`${summary}: ${detail}`)
  }

  /** Gives how long there is nothing to do. */
  const renew = async (source: KeySource): Promise<number> => {
    try {
      const renewal = await renewOnlineRoles(repository().directory, { keys: source, now: now() })
      const nextDue = renewal.nextDue.toISOString()
      if (renewal.renewed.length > 0) log.info({ roles: renewal.renewed, nextDue }, 'renewed')
      failure = undefined
      noticeDaily(renewal.repository)
      return Math.max(0, Math.min(renewal.nextDue.getTime() - now().getTime(), checkEveryMs))
    } catch (error) {
      // Whoever holds the lock is publishing, and renews both roles by that.
      if (hasCode(error, 'LOCKED')) log.debug('somebody works on the repository: renewing later')
      else {
        failure = { summary: 'renewing failed', detail: messageOf(error) }
        log.error({ err: error }, 'renewing failed')
      }
      return Math.min(retryMs, checkEveryMs)
    }
  }

  const step = async (): Promise<number> => {
    if (usable.keys !== undefined) return await renew(usable.keys)
    noticeDaily(repository())
    return checkEveryMs
  }

  const goOn = async (firstPauseMs: number): Promise<void> => {
    for (let pauseMs = firstPauseMs; ; pauseMs = await step()) {
      await delay(pauseMs, undefined, { signal: stopped.signal })
    }
  }
  const ended = goOn(await step()).catch((error: unknown) => {
    if (systemCodeOf(error) !== 'ABORT_ERR') throw error
  })
  return {
    problems: () => problemsOf(repository()),
    [Symbol.asyncDispose]: async () => {
      stopped.abort()
      await ended
    },
  }
}

interface UsableKeys {
  readonly keys: KeySource | undefined
  /** Why there are none although there should be. */
  readonly failure: Problem | undefined
}

/** Whether the keys can sign the online roles. Asks for the passphrase now, while somebody may be sitting there. */
const usableKeys = async ({ keys, repository }: OriginRenewalOptions): Promise<UsableKeys> => {
  if (keys === undefined) return { keys, failure: undefined }
  const online = rolesNamed(repository(), ONLINE_ROLES)
  try {
    await openSigners(keys, online)
    return { keys, failure: undefined }
  } catch (error) {
    if (!isUpdateError(error) || error.code === 'PASSPHRASE_WRONG' || error.code === 'ABORTED') throw error
    const expiries = online.map(({ role, expires }) => `${role} at ${expires.toISOString()}`).join(', ')
    const summary = `this origin renews nothing, and without that will expire: ${expiries}`
    const detail = error.hint === undefined ? error.message : `${error.message}; ${error.hint}`
    return { keys: undefined, failure: { summary, detail } }
  }
}
