// What other machines say of a repository: the messages of the extension `updraft_tuf`, a whole conversation of them, and the
// pointer in the distributed hash table.

import assert from 'node:assert/strict'
import { decodeBencode, encodeBencode, isDictionary } from '@updraft/core/swarm/bencode'
import { createConversation } from '@updraft/core/swarm/news/conversation'
import { formatMessage, type Message, PART_LENGTH, parseMessage } from '@updraft/core/swarm/news/message'
import { NO_EDITION } from '@updraft/core/swarm/news/news'
import { parsePointer, pointerValueOf } from '@updraft/core/swarm/news/pointer'
import { createRateLimiter } from '@updraft/core/swarm/rate-limiter'
import { choosing, chosen, inPieces, plainTarget } from '../target.ts'

const MESSAGES: readonly Parameters<typeof formatMessage>[0][] = [
  { kind: 'have', root: 1, timestamp: 12, snapshot: 12 },
  { kind: 'get', id: 0, path: 'metadata/12.snapshot.json', offset: 65_536 },
  { kind: 'part', id: 0, totalBytes: 9, bytes: Buffer.from('{"a": 1}\n') },
  { kind: 'when', id: 1, name: 'acme_1.0.0_any', indexSha256: 'ab'.repeat(32) },
  { kind: 'seen', id: 1, ageSeconds: 3_600 },
  { kind: 'none', id: 2 },
]

const WORDS = ['1:t', '1:v', 'i1e', '2:id', '4:have', '3:get', '4:part', '4:when', '4:seen', '4:none', '4:path', '2:..']

const parsed = (bytes: Uint8Array): Message | undefined => {
  try {
    return parseMessage(bytes)
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

export const news = plainTarget({
  what: 'messages of other machines about a repository (BEP 10, updraft_tuf)',
  seeds: () => MESSAGES.flatMap((message) => [0, 3].map((choice) => choosing(choice, formatMessage(message)))),
  words: WORDS,
  attempt: async (input) => {
    const { choice, rest } = chosen(input)
    const message = parsed(rest)
    if (message !== undefined && message.kind !== 'unknown') {
      if (message.kind === 'part') assert.ok(message.bytes.length <= PART_LENGTH)
      if (message.kind === 'get') assert.ok(!message.path.split('/').some((part) => part.startsWith('.')))
      assert.deepEqual(parsed(formatMessage(message)), { ...message })
    }
    let violations = 0
    const asked: string[] = []
    const conversation = createConversation({
      name: 'peer',
      library: {
        edition: async () => NO_EDITION,
        read: async (path) => void asked.push(path),
        ageOf: async () => undefined,
      },
      send: () => {},
      whenFlushed: async () => {},
      limiter: createRateLimiter({ bytesPerSecond: undefined }),
      onHave: () => {},
      onUse: () => {},
      onViolation: () => {
        violations += 1
        conversation.end()
      },
    })
    for (const part of inPieces(rest, choice)) conversation.receive(part)
    await new Promise((turn) => setImmediate(turn))
    conversation.end()
    assert.ok(violations <= 1)
    for (const path of asked) assert.match(path, /^(?:metadata|targets)\/[A-Za-z0-9_]/)
  },
})

export const pointer = plainTarget({
  what: 'what the distributed hash table says of a repository (BEP 44)',
  seeds: () => [
    encodeBencode({ ...pointerValueOf({ topic: 'ab'.repeat(20), timestamp: 7, addresses: ['192.0.2.1:6881'] }) }),
  ],
  words: ['2:ih', '1:p', '2:ts', 'i-1e'],
  attempt: (input) => {
    let value: unknown
    try {
      const decoded = decodeBencode(input)
      value = isDictionary(decoded) ? Object.fromEntries(decoded.entries) : decoded
    } catch {
      return // The table's own reader has it first.
    }
    try {
      const { topic, timestamp, addresses } = parsePointer(value)
      assert.match(topic, /^[0-9a-f]{40}$/)
      assert.ok(Number.isSafeInteger(timestamp) && timestamp >= 0 && addresses.length <= 8)
    } catch (error) {
      if (!(error instanceof SyntaxError)) throw error
    }
  },
})
