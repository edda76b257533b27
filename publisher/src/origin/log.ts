// The origin's log on standard error: lines for people, or JSON for collectors. Decides nothing about what is logged.
import { isUpdateError, messageOf } from '@updraft/core/errors'
import { type DestinationStream, type Logger, pino } from 'pino'

/** What rooms may do with a log. `err` is shown with its message, and with its stack if it is a defect of ours. */
export type Log = Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>

export interface LogOptions {
  /** One JSON object a line, as pino writes it. */
  readonly json: boolean
  readonly debug?: boolean | undefined
  readonly stream?: DestinationStream
}

export const openLog = ({ json, debug = false, stream = process.stderr }: LogOptions): Log =>
  pino(
    {
      base: null,
      level: debug ? 'debug' : 'info',
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { err: describeError },
    },
    json ? stream : { write: (line) => stream.write(`${formatLine(JSON.parse(line))}\n`) },
  )

const describeError = (error: unknown): object =>
  isUpdateError(error)
    ? { code: error.code, message: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) }
    : { message: messageOf(error), stack: Error.isError(error) ? error.stack : undefined }

/** `2026-01-02T03:04:05.678Z warn  message: why (hint) key=value` */
const formatLine = ({ time, level, msg, err, ...fields }: Record<string, unknown>): string => {
  const { message, hint, stack } = (err ?? {}) as { message?: string; hint?: string; stack?: string }
  const pairs = Object.entries(fields).map(([key, value]) => ` ${key}=${plain(value)}`)
  return [
    `${time} ${String(level).padEnd(5)} ${oneLine(String(msg))}`,
    message === undefined ? '' : `: ${oneLine(message)}`,
    hint === undefined ? '' : ` (${oneLine(hint)})`,
    ...pairs,
    stack === undefined ? '' : `\n${stack}`,
  ].join('')
}

const plain = (value: unknown): string => {
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return /^[\w./:@+-]*$/.test(text) ? text : oneLine(JSON.stringify(text))
}

/** Values come from outside too: a line break or an escape sequence in one must not forge a line of the log. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced.
const oneLine = (text: string): string => text.replace(/[\u0000-\u001f\u007f-\u009f]/g, ' ')
