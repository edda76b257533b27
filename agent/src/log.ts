// The agent's log, on standard error: one JSON object per line, or lines for people, or for the journal. What happened is logged from the event
// log, so that the two never tell different stories. Never logs a secret: nothing that comes here holds one.
import type { RecordedEvent } from '@updraft/core/control/api'
import type { Environment } from '@updraft/core/control/home'
import { pino } from 'pino'
import { wordsOfEvent } from './event-text.ts'

export type Fields = Readonly<Record<string, unknown>>

export interface Log {
  debug(message: string, fields?: Fields): void
  info(message: string, fields?: Fields): void
  warn(message: string, fields?: Fields): void
  error(message: string, fields?: Fields): void
}

export interface LogOptions {
  readonly json: boolean
  /** The lines go to the systemd journal, which has times of its own and wants to know how bad each line is. */
  readonly journal?: boolean
  /** Where lines go; standard error unless told otherwise. */
  readonly write?: (line: string) => void
}

export const openLog = ({ json, journal = false, write = (line) => process.stderr.write(line) }: LogOptions): Log => {
  const logger = pino(
    {
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      messageKey: 'message',
      errorKey: 'error',
    },
    { write: json ? write : (line) => write(journal ? forJournal(line) : readable(line)) },
  )
  return {
    debug: (message, fields = {}) => logger.debug(fields, message),
    info: (message, fields = {}) => logger.info(fields, message),
    warn: (message, fields = {}) => logger.warn(fields, message),
    error: (message, fields = {}) => logger.error(fields, message),
  }
}

export const silentLog: Log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }

/**
 * Whether what is written to `stream` goes to the journal: systemd says in the environment which file that is.
 *
 * Source: systemd.exec(5), JOURNAL_STREAM.
 */
export const isJournal = (environment: Environment, { dev, ino }: { readonly dev: number; readonly ino: number }) =>
  environment.JOURNAL_STREAM === `${dev}:${ino}`

/** Every line begins with its priority, as sd-daemon(3) has it: what a person reads, and what `journalctl -p` compares. */
const forJournal = (line: string): string => {
  const { level, message, product, hint, error } = JSON.parse(line) as Record<string, unknown>
  const about = typeof product === 'string' ? `${product}: ` : ''
  const stack = (error as { stack?: unknown } | undefined)?.stack
  const lines = [
    `${about}${message}`,
    ...(typeof hint === 'string' ? [`hint: ${hint}`] : []),
    ...(typeof stack === 'string' ? [stack] : []),
  ].flatMap((text) => text.split('\n'))
  return lines.map((text) => `<${PRIORITIES[String(level)] ?? 6}>${text}\n`).join('')
}

const PRIORITIES: Readonly<Record<string, number>> = { debug: 7, info: 6, warn: 4, error: 3 }

/** `12:01:02 warn  acme: the source cannot be reached (hint: …)`: the local time, and what a person reads. */
const readable = (line: string): string => {
  const { level, time, message, product, hint, error } = JSON.parse(line) as Record<string, unknown>
  const at = new Date(String(time)).toTimeString().slice(0, 8)
  const about = typeof product === 'string' ? `${product}: ` : ''
  const advice = typeof hint === 'string' ? `\n${' '.repeat(15)}hint: ${hint}` : ''
  const stack = (error as { stack?: unknown } | undefined)?.stack
  return `${at} ${String(level).padEnd(5)} ${about}${message}${advice}${typeof stack === 'string' ? `\n${stack}` : ''}\n`
}

/** Writes events to the log as they happen. Progress within one state is left out. */
export const eventLogger = (log: Log): ((recorded: RecordedEvent) => void) => {
  const states = new Map<string, string>()
  return ({ event }) => {
    switch (event.kind) {
      case 'check':
        if (event.error === undefined) log.debug(wordsOfEvent(event), { source: event.source })
        else log.warn(wordsOfEvent(event), problemFields(event))
        return
      case 'update': {
        const { product, update } = event
        const state = `${update.version} ${update.state} ${update.startedAt}`
        if (states.get(product) === state) return
        states.set(product, state)
        if (update.error !== undefined) {
          log.error(wordsOfEvent(event), { product, ...problemFields(update) })
        } else log.info(wordsOfEvent(event), { product, version: update.version, state: update.state })
        return
      }
      case 'installed': {
        log.info(wordsOfEvent(event), { product: event.product, version: event.version })
        return
      }
      case 'seeding':
        log.info(wordsOfEvent(event), { product: event.product, version: event.version })
        return
      case 'finding': {
        const { product, finding } = event
        const level = finding.severity === 'info' ? 'info' : finding.severity === 'warning' ? 'warn' : 'error'
        log[level](wordsOfEvent(event), {
          product,
          finding: finding.code,
          ...(finding.hint === '' ? {} : { hint: finding.hint }),
        })
        return
      }
      case 'finding-cleared':
        log.info(wordsOfEvent(event), { product: event.product, finding: event.code })
        return
      case 'import':
        if (event.error === undefined) log.info(wordsOfEvent(event), { file: event.file })
        else log.error(wordsOfEvent(event), { file: event.file, ...problemFields(event) })
        return
      case 'started':
        log.info(wordsOfEvent(event))
        return
      case 'settings':
        if (event.error === undefined) log.info(wordsOfEvent(event))
        else log.error(wordsOfEvent(event), problemFields(event))
        return
      case 'idle':
        if (event.error === undefined) log.debug(wordsOfEvent(event), { product: event.product })
        return
      case 'reset':
        return
    }
  }
}

const problemFields = ({
  error,
}: {
  readonly error?: { readonly code: string; readonly hint?: string | undefined } | undefined
}): Fields => ({
  code: error?.code,
  ...(error?.hint === undefined ? {} : { hint: error.hint }),
})
