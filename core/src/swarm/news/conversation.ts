// One conversation: answers what the other end asks, out of the library, and asks for files and ages. What comes is bounded
// in number, length and time, and is handed on unverified.
import { UpdateError } from '../../errors.ts'
import { LIMITS } from '../../limits.ts'
import type { RateLimiter } from '../rate-limiter.ts'
import { formatMessage, type Message, PART_LENGTH, parseMessage } from './message.ts'
import type { Edition, Library } from './news.ts'

export interface Conversation {
  /** Undefined until the other end has said what it has. */
  readonly edition: Edition | undefined
  /** One message of the extension. */
  receive(bytes: Uint8Array): void
  fetch(path: string, maxBytes: number, signal?: AbortSignal): Promise<Buffer | undefined>
  ageOf(name: string, indexSha256: string, signal?: AbortSignal): Promise<number | undefined>
  tell(edition: Edition): void
  /** The connection is gone: whoever waits is told. */
  end(): void
}

export interface ConversationOptions {
  /** For messages. */
  readonly name: string
  readonly library: Library
  readonly send: (bytes: Uint8Array) => void
  /** Resolves once nothing waits to be sent. */
  readonly whenFlushed: () => Promise<void>
  /** Holds what is sent to everybody below the rate of the settings. */
  readonly limiter: RateLimiter
  readonly onHave: () => void
  /** The other end does what no honest one does, or more than one may. */
  readonly onViolation: (reason: string) => void
  /** Something was said or asked: the conversation is not idle. */
  readonly onUse: () => void
  /** For one answer. */
  readonly answerTimeoutMs?: number | undefined
}

/** Files are asked for in so many parts at once, and that is more than enough to wait for one another. */
const REQUESTS_AHEAD = 4
const REQUESTS_WAITING_MAX = 32
/** Of one conversation: every metadata file and the longest index, in parts. */
const REQUESTS_MAX = 4_096
/** A machine learns of something new a few times in the minutes that a conversation lasts. */
const EDITIONS_TOLD_MAX = 16
/** Slower than this over a whole file, and another one is asked. */
const BYTES_PER_SECOND_MIN = 32 * 1024

type Answer = Extract<Message, { readonly kind: 'part' | 'seen' | 'none' }>

interface Waiting {
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: UpdateError) => void
}

export const createConversation = (options: ConversationOptions): Conversation => {
  const { name, library, send, whenFlushed, limiter, onHave, onViolation, onUse } = options
  const { answerTimeoutMs = LIMITS.peerAnswerTimeoutMs } = options
  const asked = new Map<number, Waiting>()
  const toAnswer: Extract<Message, { readonly kind: 'get' | 'when' }>[] = []
  let edition: Edition | undefined
  let editionsTold = 0
  let requests = 0
  let nextId = 0
  let isAnswering = false
  let ended = false

  const say = (message: Parameters<typeof formatMessage>[0]): void => {
    if (ended) return
    onUse()
    send(formatMessage(message))
  }

  const hear = (message: Message): void => {
    switch (message.kind) {
      case 'have':
        editionsTold += 1
        edition = { root: message.root, timestamp: message.timestamp, snapshot: message.snapshot }
        if (editionsTold > EDITIONS_TOLD_MAX) onViolation('it announces without an end')
        else onHave()
        break
      case 'get':
      case 'when':
        requests += 1
        toAnswer.push(message)
        if (requests > REQUESTS_MAX || toAnswer.length > REQUESTS_WAITING_MAX) onViolation('it asks too much')
        else if (!isAnswering) void answerAll()
        break
      case 'unknown':
        requests += 1
        if (requests > REQUESTS_MAX) onViolation('it says too much')
        break
      default:
        takeAnswer(message)
    }
  }

  const takeAnswer = (answer: Answer): void => {
    const waiting = asked.get(answer.id)
    asked.delete(answer.id)
    if (waiting === undefined) onViolation('it answers what nobody asked')
    else waiting.resolve(answer)
  }

  /** One after the other, so that a peer that asks and does not read costs one part. */
  const answerAll = async (): Promise<void> => {
    isAnswering = true
    try {
      for (let next = toAnswer.shift(); next !== undefined && !ended; next = toAnswer.shift()) {
        await new Promise<void>((ready) => (limiter.isReady() ? ready() : limiter.whenReady(ready)))
        const answer = await answerTo(next)
        await whenFlushed()
        if (answer.kind === 'part') limiter.spend(answer.bytes.length)
        say(answer)
      }
    } catch {
      onViolation('what it asks for cannot be read here') // Its own disk is this machine's problem, not the other one's.
    } finally {
      isAnswering = false
    }
  }

  const answerTo = async (question: (typeof toAnswer)[number]): Promise<Answer> => {
    const { id } = question
    if (question.kind === 'when') {
      const ageSeconds = await library.ageOf(question.name, question.indexSha256)
      return ageSeconds === undefined ? { kind: 'none', id } : { kind: 'seen', id, ageSeconds }
    }
    const part = await library.read(question.path, question.offset, PART_LENGTH)
    return part === undefined ? { kind: 'none', id } : { kind: 'part', id, ...part }
  }

  const ask = async (question: (id: number) => Parameters<typeof say>[0], signal?: AbortSignal): Promise<Answer> => {
    if (ended) throw gone(name)
    const id = nextId
    nextId += 1
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const timer = setTimeout(
      () => reject(unreachable(`${name} did not answer within ${answerTimeoutMs / 1000} s`)),
      answerTimeoutMs,
    )
    const onAbort = (): void => reject(new UpdateError('ABORTED', `asking ${name} was interrupted`))
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted) onAbort()
    asked.set(id, { resolve, reject })
    say(question(id))
    try {
      return await promise // Its entry stays when time is over: an answer that comes late is no violation.
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', onAbort)
    }
  }

  const askPart = async (path: string, offset: number, signal?: AbortSignal) => {
    const answer = await ask((id) => ({ kind: 'get', id, path, offset }), signal)
    if (answer.kind === 'seen') throw unreachable(`${name} answers with something else`)
    return answer.kind === 'none' ? undefined : answer
  }

  const fetch = async (path: string, maxBytes: number, signal?: AbortSignal): Promise<Buffer | undefined> => {
    const first = await askPart(path, 0, signal)
    if (first === undefined) return undefined
    const { totalBytes } = first
    if (totalBytes > maxBytes) {
      throw new UpdateError('LIMIT_EXCEEDED', `${path} from ${name} has ${totalBytes} bytes; at most are ${maxBytes}`)
    }
    // Memory is taken only for what has been said within the limit; it is the caller's file either way.
    const whole = Buffer.alloc(totalBytes)
    const deadline = performance.now() + answerTimeoutMs + (totalBytes / BYTES_PER_SECOND_MIN) * 1000
    const take = (offset: number, part: typeof first): void => {
      const expected = Math.min(PART_LENGTH, totalBytes - offset)
      if (part.totalBytes !== totalBytes || part.bytes.length !== expected) {
        throw unreachable(`${path} from ${name} changed while it was fetched`)
      }
      whole.set(part.bytes, offset)
    }
    take(0, first)
    let next = PART_LENGTH
    const fetchRest = async (): Promise<void> => {
      while (next < totalBytes) {
        if (performance.now() > deadline) throw unreachable(`${path} comes too slowly from ${name}`)
        const offset = next
        next += PART_LENGTH
        const part = await askPart(path, offset, signal)
        if (part === undefined) throw unreachable(`${path} from ${name} changed while it was fetched`)
        take(offset, part)
      }
    }
    const ended = await Promise.allSettled(Array.from({ length: REQUESTS_AHEAD }, fetchRest))
    for (const end of ended) if (end.status === 'rejected') throw end.reason
    return whole
  }

  return {
    get edition() {
      return edition
    },
    receive: (bytes) => {
      if (ended) return
      onUse()
      let message: Message
      try {
        message = parseMessage(bytes)
      } catch (error) {
        onViolation(`a malformed message: ${(error as Error).message}`)
        return
      }
      hear(message)
    },
    fetch,
    ageOf: async (release, indexSha256, signal) => {
      const answer = await ask((id) => ({ kind: 'when', id, name: release, indexSha256 }), signal)
      return answer.kind === 'seen' ? answer.ageSeconds : undefined
    },
    tell: (mine) => say({ kind: 'have', ...mine }),
    end: () => {
      ended = true
      toAnswer.length = 0
      for (const waiting of asked.values()) waiting.reject(gone(name))
      asked.clear()
    },
  }
}

const gone = (name: string): UpdateError => unreachable(`${name} has gone`)

const unreachable = (message: string): UpdateError =>
  new UpdateError('SOURCE_UNREACHABLE', message, { hint: 'other machines are asked; this one is asked again later' })
