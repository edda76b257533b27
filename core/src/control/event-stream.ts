// Server-sent events, both directions: how a message is written, and how a stream of chunks becomes messages again.
// Knows nothing of what the messages say. Source: WHATWG HTML, section 9.2.6, "Interpreting an event stream".
import { UpdateError } from '../errors.ts'

export interface EventStreamMessage {
  readonly id: string
  readonly event: string
  readonly data: string
}

/** One message; `data` has no line breaks, as JSON on one line has not. */
export const formatMessage = ({ id, event, data }: EventStreamMessage): string =>
  `id: ${id}\nevent: ${event}\ndata: ${data}\n\n`

/** A line that every reader passes over: it says that the connection is alive. */
export const HEARTBEAT = ': alive\n\n'

/**
 * The messages of a stream of decoded text, as they become complete. A last one without its blank line is dropped.
 *
 * Errors: CONTROL_INVALID if a message has more than `maxLength` characters; whatever `chunks` throws.
 */
export async function* parseEventStream(
  chunks: AsyncIterable<string>,
  maxLength: number,
): AsyncGenerator<EventStreamMessage, void, undefined> {
  let rest = ''
  let fields: Fields = {}
  let length = 0
  for await (const chunk of chunks) {
    rest += chunk
    const lines = rest.split(LINE_BREAK)
    rest = lines.pop() ?? ''
    for (const line of lines) {
      length += line.length
      if (line === '') {
        const { id = '', event = 'message', data } = fields
        if (data !== undefined) yield { id, event, data: data.join('\n') }
        fields = {}
        length = 0
      } else readField(line, fields)
    }
    if (length + rest.length > maxLength) {
      throw new UpdateError('CONTROL_INVALID', `the agent sent an event of more than ${maxLength} characters`)
    }
  }
}

interface Fields {
  id?: string
  event?: string
  data?: string[]
}

/** A lone carriage return is a line break too, but the last one of a chunk may be half of CR LF: it waits. */
const LINE_BREAK = /\r\n|\n|\r(?!$)/

const readField = (line: string, fields: Fields): void => {
  const colon = line.indexOf(':')
  const name = colon === -1 ? line : line.slice(0, colon)
  const value = colon === -1 ? '' : line.slice(colon + 1).replace(/^ /, '')
  if (name === 'data') fields.data = [...(fields.data ?? []), value]
  else if (name === 'id' || name === 'event') fields[name] = value
}
