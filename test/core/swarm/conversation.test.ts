// Two machines that talk about a repository: what one has, the other gets, and who asks or says too much is let go.

import { expect, test } from '@jest/globals'
import { type Conversation, createConversation } from '@updraft/core/swarm/news/conversation'
import { formatMessage, PART_LENGTH } from '@updraft/core/swarm/news/message'
import { type Edition, type Library, NO_EDITION } from '@updraft/core/swarm/news/news'
import { createRateLimiter } from '@updraft/core/swarm/rate-limiter'

const TIMESTAMP = 'metadata/timestamp.json'

const libraryOf = (files: Readonly<Record<string, Buffer>>, edition: Edition = NO_EDITION): Library => ({
  edition: async () => edition,
  read: async (path, offset, length) => {
    const file = files[path]
    return file && { bytes: file.subarray(offset, offset + length), totalBytes: file.length }
  },
  ageOf: async (name) => (name === 'acme_1.0.0_any' ? 60 : undefined),
})

interface End {
  readonly conversation: Conversation
  readonly violations: string[]
}

/** One end, whose words go to `send`. */
const endWith = (library: Library, send: (bytes: Uint8Array) => void, answerTimeoutMs = 60_000): End => {
  const violations: string[] = []
  const conversation = createConversation({
    name: 'peer 192.0.2.1:1',
    library,
    send,
    whenFlushed: async () => {},
    limiter: createRateLimiter({ bytesPerSecond: undefined }),
    onHave: () => {},
    onUse: () => {},
    onViolation: (reason) => {
      violations.push(reason)
      conversation.end()
    },
    answerTimeoutMs,
  })
  return { conversation, violations }
}

const pair = (files: Readonly<Record<string, Buffer>>, alter = (bytes: Uint8Array) => bytes) => {
  const asking: End = endWith(libraryOf({}), (bytes) => queueMicrotask(() => giving.conversation.receive(bytes)))
  const giving: End = endWith(libraryOf(files), (bytes) =>
    queueMicrotask(() => asking.conversation.receive(alter(bytes))),
  )
  return { asking, giving }
}

/** Nobody answers it. */
const alone = (answerTimeoutMs?: number) =>
  endWith(libraryOf({ [TIMESTAMP]: Buffer.from('{}') }), () => {}, answerTimeoutMs)

test.each([0, 1, PART_LENGTH - 1, PART_LENGTH, PART_LENGTH + 1, 20 * PART_LENGTH + 7])(
  'a file of %i bytes arrives whole',
  async (length) => {
    const file = Buffer.alloc(length, 'updraft ')
    const { asking, giving } = pair({ [TIMESTAMP]: file })
    expect((await asking.conversation.fetch(TIMESTAMP, length))?.equals(file)).toBe(true)
    expect([...asking.violations, ...giving.violations]).toEqual([])
  },
)

test('what is not there is an answer', async () => {
  const { asking } = pair({})
  expect(await asking.conversation.fetch(TIMESTAMP, 100)).toBeUndefined()
  expect(await asking.conversation.ageOf('acme_9.9.9_any', 'ab'.repeat(32))).toBeUndefined()
  expect(await asking.conversation.ageOf('acme_1.0.0_any', 'ab'.repeat(32))).toBe(60)
})

test('what one has is told to the other', () => {
  const { conversation } = alone()
  expect(conversation.edition).toBeUndefined()
  conversation.receive(formatMessage({ kind: 'have', root: 1, timestamp: 7, snapshot: 5 }))
  expect(conversation.edition).toEqual({ root: 1, timestamp: 7, snapshot: 5 })
})

test('a file longer than the limit is refused before it is fetched', async () => {
  const { asking } = pair({ [TIMESTAMP]: Buffer.alloc(PART_LENGTH * 3) })
  await expect(asking.conversation.fetch(TIMESTAMP, 100)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
})

test('a file that changes while it is fetched is an error', async () => {
  const files = { [TIMESTAMP]: Buffer.alloc(PART_LENGTH * 3) }
  let messages = 0
  const { asking } = pair(files, (bytes) => {
    messages += 1
    files[TIMESTAMP] = Buffer.alloc(PART_LENGTH * 2)
    return bytes
  })
  await expect(asking.conversation.fetch(TIMESTAMP, PART_LENGTH * 3)).rejects.toMatchObject({
    code: 'SOURCE_UNREACHABLE',
  })
  expect(messages).toBeGreaterThan(1)
})

test('whoever does not answer, or hangs up, or is not waited for, ends the question', async () => {
  const silent = alone(1)
  await expect(silent.conversation.fetch(TIMESTAMP, 9)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
  const gone = alone()
  const asked = gone.conversation.fetch(TIMESTAMP, 9)
  gone.conversation.end()
  await expect(asked).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
  const signal = AbortSignal.abort()
  await expect(alone().conversation.fetch(TIMESTAMP, 9, signal)).rejects.toMatchObject({ code: 'ABORTED' })
})

test('an answer that comes too late is no violation, and one that nobody asked for is', async () => {
  const { conversation, violations } = alone(1)
  await conversation.fetch(TIMESTAMP, 9).catch(() => {})
  conversation.receive(formatMessage({ kind: 'none', id: 0 }))
  expect(violations).toEqual([])
  conversation.receive(formatMessage({ kind: 'none', id: 0 }))
  expect(violations).toEqual(['it answers what nobody asked'])
})

const have = formatMessage({ kind: 'have', root: 1, timestamp: 1, snapshot: 1 })
const get = (id: number) => formatMessage({ kind: 'get', id, path: TIMESTAMP, offset: 0 })

test.each<[string, readonly Uint8Array[], string]>([
  ['announces without an end', Array.from({ length: 17 }, () => have), 'it announces without an end'],
  ['asks without waiting', Array.from({ length: 64 }, (_, id) => get(id)), 'it asks too much'],
  ['sends what is no message', [Buffer.from('d1:t4:have')], 'a malformed message'],
  ['sends a list', [Buffer.from('le')], 'a malformed message'],
  ['sends bytes behind a message', [Buffer.concat([have, Buffer.from('x')])], 'a malformed message'],
  [
    'asks above the repository',
    [Buffer.from('d2:idi0e6:offseti0e4:path21:metadata/../agent.db_1:t3:get1:vi1ee')],
    'a malformed message',
  ],
  [
    'sends a part that is too long',
    [Buffer.concat([Buffer.from('d2:idi0e4:sizei9e1:t4:part1:vi1ee'), Buffer.alloc(PART_LENGTH + 1)])],
    'a malformed message',
  ],
  [
    'counts below nothing',
    [Buffer.from('d4:rooti-1e8:snapshoti1e1:t4:have9:timestampi1e1:vi1ee')],
    'a malformed message',
  ],
])('is let go who %s', (_, messages, reason) => {
  const { conversation, violations } = alone()
  for (const message of messages) conversation.receive(message)
  expect(violations).toHaveLength(1)
  expect(violations[0]).toContain(reason)
})

test('what a later version says is passed over', () => {
  const { conversation, violations } = alone()
  conversation.receive(Buffer.from('d1:t4:have1:vi2ee'))
  conversation.receive(Buffer.from('d1:t6:wonder1:vi1ee'))
  expect(violations).toEqual([])
})

test('a disk that cannot be read ends the conversation, not the program', async () => {
  const library = { ...libraryOf({}), read: () => Promise.reject(new Error('EIO')) }
  const { promise, resolve } = Promise.withResolvers<string>()
  const conversation = createConversation({
    name: 'peer',
    library,
    send: () => {},
    whenFlushed: async () => {},
    limiter: createRateLimiter({ bytesPerSecond: undefined }),
    onHave: () => {},
    onUse: () => {},
    onViolation: resolve,
  })
  conversation.receive(get(0))
  expect(await promise).toBe('what it asks for cannot be read here')
})
