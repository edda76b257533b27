// Tells the service manager what the service does, in the order in which it was told. Never fails and never waits for an
// answer: an agent that nobody listens to does its work all the same.
//
// The protocol is one datagram to a unix socket, which Node cannot send: node:dgram knows UDP only, and node:net only streams.
// A native addon would be the one part of the agent that is built per platform. So `systemd-notify` is started for each
// message: it comes with systemd itself, and costs 6 ms of processor time, 2 of them in an agent of 96 MB (measured over 100
// messages), which for a watchdog of 60 s is 0.02 % of a core. It waits until the message was read, so the manager can still
// see which service the sender belongs to; that the sender is not the main process is why the unit says NotifyAccess=all.
// Source: sd_notify(3), systemd-notify(1).
import { execFile } from 'node:child_process'
import type { Log } from '../log.ts'

/** Assignments of one message, such as `READY=1`. */
export type Message = Readonly<Record<string, string>>

export interface Notifier extends AsyncDisposable {
  /** Puts the message into the line. A waiting `STATUS` or `WATCHDOG` alone gives way to a newer one. */
  send(message: Message): void
}

export interface NotifierOptions {
  readonly socket: string
  readonly log: Pick<Log, 'warn'>
}

/** Disposing waits until everything was sent. */
export const openNotifier = ({ socket, log }: NotifierOptions): Notifier => {
  const waiting: Message[] = []
  let sending: Promise<void> | undefined
  let complained = false

  const sendAll = async (): Promise<void> => {
    for (let message = waiting.shift(); message !== undefined; message = waiting.shift()) {
      const why = await notify(socket, message)
      if (why !== undefined && !complained) log.warn(`the service manager cannot be told anything: ${why}`)
      complained ||= why !== undefined
    }
    sending = undefined
  }

  return {
    send: (message) => {
      const last = waiting.at(-1)
      if (last !== undefined && replaces(message, last)) waiting.pop()
      waiting.push(message)
      sending ??= sendAll()
    },
    [Symbol.asyncDispose]: async () => sending,
  }
}

const replaces = (next: Message, last: Message): boolean => {
  const keys = Object.keys(last)
  return keys.length === 1 && (keys[0] === 'STATUS' || keys[0] === 'WATCHDOG') && keys[0] in next
}

/** Resolves to why it could not be sent, or to undefined. */
const notify = (socket: string, message: Message): Promise<string | undefined> =>
  new Promise((resolve) => {
    // A line break would begin another assignment.
    const words = Object.entries(message).map(([name, value]) => `${name}=${value.replaceAll(/\s+/g, ' ')}`)
    const env = { PATH: process.env.PATH ?? '/usr/bin:/bin', NOTIFY_SOCKET: socket }
    execFile('systemd-notify', words, { env, timeout: SEND_TIMEOUT_MS }, (error, _, stderr) =>
      resolve(error === null ? undefined : stderr.trim() || error.message),
    )
  })

const SEND_TIMEOUT_MS = 5_000
