// What the agent tells the service manager that runs it: when it is ready, what it does, that it is alive. Decides when;
// how a message gets there is the notifier's business.
import type { RecordedEvent, Status } from '@updraft/core/control/api'
import { messageOf } from '@updraft/core/errors'
import type { Log } from '../log.ts'
import type { HandedOver } from './handed-over.ts'
import { type Notifier, openNotifier } from './notify.ts'
import { lineOfStatus } from './status-line.ts'

export interface Supervised extends AsyncDisposable {
  /** Says that the agent is ready as soon as `answers` resolves, and from then on that it is alive. Never fails. */
  ready(answers: () => Promise<unknown>): Promise<void>
  /** Takes over settings, and says before and after that it does. */
  reloading<T>(work: () => Promise<T>): Promise<T>
  stopping(): void
  /** Another version of the agent takes over: the service goes on, so this is no end of it. */
  handingOver(): void
}

export interface SupervisedOptions {
  readonly handedOver: HandedOver
  readonly log: Log
  readonly status: () => Promise<Pick<Status, 'products'>>
  /** Throws if the store is not there any more. */
  readonly touchStore: () => unknown
  readonly onEvent: (listener: (recorded: RecordedEvent) => void) => () => void
}

/** Without a service manager nothing of this happens. */
export const superviseBy = (options: SupervisedOptions): Supervised => {
  const { notifySocket, watchdogMs } = options.handedOver
  if (notifySocket === undefined) return UNSUPERVISED
  return tellTo(openNotifier({ socket: notifySocket, log: options.log }), watchdogMs, options)
}

const UNSUPERVISED: Supervised = {
  ready: async () => {},
  reloading: (work) => work(),
  stopping: () => {},
  handingOver: () => {},
  [Symbol.asyncDispose]: async () => {},
}

const tellTo = (
  notifier: Notifier,
  watchdogMs: number | undefined,
  { log, status, touchStore, onEvent }: SupervisedOptions,
): Supervised => {
  let isReady = false
  let watchdog: NodeJS.Timeout | undefined
  let line = ''
  let lineTimer: NodeJS.Timeout | undefined

  /** The timer comes only while the event loop goes round; an agent without its store is as good as none. */
  const signOfLife = (): void => {
    try {
      touchStore()
      notifier.send({ WATCHDOG: '1' })
    } catch (error) {
      log.error(`the store does not answer, so the service manager is not told that all is well: ${messageOf(error)}`)
    }
  }

  const tellLine = async (): Promise<void> => {
    lineTimer = undefined
    try {
      const next = lineOfStatus((await status()).products)
      if (next !== line) notifier.send({ STATUS: next })
      line = next
    } catch (error) {
      log.warn(`the service manager is not told what happens: ${messageOf(error)}`)
    }
  }

  const stopListening = onEvent(() => {
    if (isReady) lineTimer ??= setTimeout(tellLine, LINE_DELAY_MS)
  })

  return {
    ready: async (answers) => {
      try {
        await answers()
      } catch (error) {
        log.error(`not ready: the control socket does not answer: ${messageOf(error)}`)
        return
      }
      isReady = true
      notifier.send({ READY: '1' })
      if (watchdogMs !== undefined) {
        signOfLife()
        watchdog = setInterval(signOfLife, watchdogMs / 2)
      }
      await tellLine()
    },
    reloading: async (work) => {
      if (!isReady) return work()
      // The manager compares the time with that of its own request to reload: CLOCK_MONOTONIC, as hrtime is.
      notifier.send({ RELOADING: '1', MONOTONIC_USEC: String(process.hrtime.bigint() / 1_000n) })
      try {
        return await work()
      } finally {
        notifier.send({ READY: '1' })
      }
    },
    handingOver: () => {
      isReady = false
      clearTimeout(lineTimer)
      // The next one's READY ends it. With STOPPING the manager would wait for the end of the starter, and kill it.
      notifier.send({ RELOADING: '1', MONOTONIC_USEC: String(process.hrtime.bigint() / 1_000n) })
    },
    stopping: () => {
      isReady = false
      clearTimeout(lineTimer)
      notifier.send({ STOPPING: '1', STATUS: 'stops' })
    },
    [Symbol.asyncDispose]: async () => {
      stopListening()
      clearTimeout(lineTimer)
      clearInterval(watchdog)
      await notifier[Symbol.asyncDispose]()
    },
  }
}

/** Events come in bunches; a person who looks at the line does not need each. */
const LINE_DELAY_MS = 1_000
