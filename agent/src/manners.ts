// Keeps the swarm to what its owner lets it use of the network: looks at clock, connection and what was sent, tells the swarm what
// holds now, and writes down what was sent. What holds is decided in manners/terms.ts.
import type { Sharing as SharingStatus } from '@updraft/core/control/api'
import { messageOf } from '@updraft/core/errors'
import type { SwarmTerms } from '@updraft/core/swarm/swarm'
import type { Log } from './log.ts'
import { monthOf, type PauseReason, pauseText, type Terms, termsOf } from './manners/terms.ts'
import type { Settings } from './settings.ts'
import type { Uploaded, Uploads } from './store/uploads.ts'

export interface MannersKeeper extends AsyncDisposable {
  /** What holds now. */
  readonly terms: SwarmTerms
  /** Looks again at once: the settings have changed, or the clock. */
  look(): Promise<void>
  status(): SharingStatus
}

export interface MannersOptions {
  readonly settings: () => Settings
  readonly uploads: Uploads
  /** Payload that was sent since the process began; never less than before. */
  readonly uploaded: () => Uploaded
  /** Undefined if nobody knows. Never fails. */
  readonly readMetered: () => Promise<boolean | undefined>
  readonly onChange: (terms: SwarmTerms) => void
  readonly log: Log
  readonly now: () => Date
  readonly timeZone?: () => string
}

/** A window opens on a minute, and a quota is gone over by what is sent in half a minute at most. */
const LOOK_EVERY_MS = 30_000
/** A program is run for it. */
const METERED_EVERY_MS = 5 * 60_000

export const keepManners = (options: MannersOptions): MannersKeeper => {
  const { settings, uploads, uploaded, readMetered, onChange, log, now } = options
  const timeZone = options.timeZone ?? (() => Intl.DateTimeFormat().resolvedOptions().timeZone)
  let written: Uploaded = { lan: 0, outside: 0 }
  let metered: boolean | undefined
  let meteredAt: number | undefined
  let asking: Promise<void> | undefined
  let closed = false

  const decide = (): Terms => {
    const { manners } = settings().network
    const terms = termsOf(manners, {
      now: now(),
      get timeZone() {
        return timeZone()
      },
      metered,
      sentThisMonthBytes: uploads.of(monthOf(now())).outside,
    })
    return terms
  }

  /** A full disk must not end sharing: what could not be written is written with the next look. */
  const writeDown = (): void => {
    const { lan, outside } = uploaded()
    const grown = { lan: lan - written.lan, outside: outside - written.outside }
    if (grown.lan === 0 && grown.outside === 0) return
    try {
      uploads.add(monthOf(now()), grown)
      written = { lan, outside }
    } catch (error) {
      log.error(`what was sent to peers cannot be written down: ${messageOf(error)}`)
    }
  }

  const askWhetherMetered = async (): Promise<void> => {
    if (settings().network.manners.sharingOnMetered !== 'pause') {
      metered = undefined
      return
    }
    const time = now().getTime()
    if (meteredAt !== undefined && Math.abs(time - meteredAt) < METERED_EVERY_MS) return
    meteredAt = time
    metered = await readMetered()
  }

  let terms = decide()

  const take = (next: Terms): void => {
    const before: PauseReason | undefined = terms.paused
    terms = next
    onChange(next.swarm)
    if (before === next.paused) return
    if (next.paused === undefined) log.info('peers outside the LAN are sent bundles again')
    else log.info(`nothing is sent to peers outside the LAN: ${pauseText(next.paused)}`)
  }

  const look = async (): Promise<void> => {
    writeDown()
    asking ??= askWhetherMetered().finally(() => {
      asking = undefined
    })
    await asking
    if (closed) return
    try {
      take(decide())
    } catch (error) {
      log.error(`what may be sent to peers is not known: ${messageOf(error)}`)
    }
  }

  const timer = setInterval(() => void look(), LOOK_EVERY_MS)
  void look()
  return {
    get terms() {
      return terms.swarm
    },
    look: () => {
      meteredAt = undefined
      return look()
    },
    status: () => {
      writeDown()
      const sent = uploads.of(monthOf(now()))
      const { uploadQuotaBytesPerMonth: quotaBytes } = settings().network.manners
      const { uploadLimit, downloadLimit, lanUploadLimit, lanDownloadLimit } = terms.swarm
      return {
        month: monthOf(now()),
        sentBytes: { lan: sent.lan, outside: sent.outside },
        ...(quotaBytes === undefined ? {} : { quotaBytes }),
        ...(terms.paused === undefined ? {} : { paused: terms.paused }),
        limits: {
          ...(uploadLimit === undefined ? {} : { uploadBytes: uploadLimit }),
          ...(downloadLimit === undefined ? {} : { downloadBytes: downloadLimit }),
          ...(lanUploadLimit === undefined ? {} : { lanUploadBytes: lanUploadLimit }),
          ...(lanDownloadLimit === undefined ? {} : { lanDownloadBytes: lanDownloadLimit }),
        },
      }
    },
    [Symbol.asyncDispose]: async () => {
      closed = true
      clearInterval(timer)
      await asking
      writeDown()
    },
  }
}
