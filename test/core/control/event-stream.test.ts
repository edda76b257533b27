// Server-sent events are read as the WHATWG standard says, however the bytes are cut into chunks.
import { describe, expect, test } from '@jest/globals'
import { type EventStreamMessage, formatMessage, HEARTBEAT, parseEventStream } from '@updraft/core/control/event-stream'
import fc from 'fast-check'

async function* chunksOf(chunks: readonly string[]): AsyncGenerator<string> {
  for (const chunk of chunks) yield chunk
}

const parse = async (chunks: readonly string[], maxLength = 1_000): Promise<EventStreamMessage[]> => {
  const messages: EventStreamMessage[] = []
  for await (const message of parseEventStream(chunksOf(chunks), maxLength)) messages.push(message)
  return messages
}

const cases: readonly (readonly [name: string, stream: string, messages: readonly EventStreamMessage[]])[] = [
  ['a whole message', 'id: 1\nevent: a\ndata: x\n\n', [{ id: '1', event: 'a', data: 'x' }]],
  [
    'heartbeats and other comments are passed over',
    `${HEARTBEAT}: hi\ndata: x\n\n`,
    [{ id: '', event: 'message', data: 'x' }],
  ],
  ['several lines of data are joined', 'data: x\ndata: y\n\n', [{ id: '', event: 'message', data: 'x\ny' }]],
  ['a message without data is none', 'id: 1\nevent: a\n\n', []],
  ['a message that did not end is dropped', 'data: x\n', []],
  [
    'carriage returns end lines too',
    'id: 1\r\ndata: x\r\n\r\ndata: y\r\rdata: z\n\n',
    [
      { id: '1', event: 'message', data: 'x' },
      { id: '', event: 'message', data: 'y' },
      { id: '', event: 'message', data: 'z' },
    ],
  ],
  [
    'only the first space after the colon belongs to the syntax',
    'data:  x\n\n',
    [{ id: '', event: 'message', data: ' x' }],
  ],
  ['a field without a colon is empty', 'data\n\n', [{ id: '', event: 'message', data: '' }]],
  ['unknown fields are passed over', 'retry: 5\nfoo: bar\ndata: x\n\n', [{ id: '', event: 'message', data: 'x' }]],
]

describe('reading', () => {
  test.each(cases)('%s', async (_, stream, messages) => {
    expect(await parse([stream])).toEqual(messages)
  })

  test.each(cases)('%s, byte by byte', async (_, stream, messages) => {
    expect(await parse([...stream])).toEqual(messages)
  })

  test('what was written is read again, wherever it is cut', async () => {
    const text = fc.string().map((value) => value.replaceAll(/[\r\n]/g, ' '))
    const message = fc.record({ id: fc.nat().map(String), event: fc.constantFrom('a', 'b'), data: text })
    await fc.assert(
      fc.asyncProperty(fc.array(message), fc.array(fc.nat(200)), async (messages, cuts) => {
        const stream = messages.map(formatMessage).join(HEARTBEAT)
        const places = [0, ...cuts.filter((cut) => cut < stream.length).sort((a, b) => a - b), stream.length]
        const chunks = places.slice(1).map((end, index) => stream.slice(places[index], end))
        expect(await parse(chunks, 100_000)).toEqual(messages)
      }),
      { numRuns: 100 },
    )
  })

  test.each([
    ['on one line', ['data: ', ...Array<string>(50).fill('x'.repeat(100))]],
    ['over many lines', Array<string>(50).fill(`data: ${'x'.repeat(100)}\n`)],
  ])('a message that grows beyond the limit %s ends the reading', async (_, chunks) => {
    await expect(parse(chunks)).rejects.toMatchObject({ code: 'CONTROL_INVALID' })
  })
})
