// The other end of the control API: asks an agent over its socket or its port, parses every answer, and turns every problem back into
// the error it stands for. Needs nothing but Node; never starts an agent.
import { readFile, stat } from 'node:fs/promises'
import { type IncomingMessage, type RequestOptions, request } from 'node:http'
import { hasCode, isUpdateError, messageOf, systemCodeOf, UpdateError } from '../errors.ts'
import { LIMITS } from '../limits.ts'
import type { ControlAddress } from './address.ts'
import {
  type CheckAnswer,
  type CheckRequest,
  checkAnswerSchema,
  EVENT_KINDS,
  type History,
  historySchema,
  type ImportAnswer,
  type ImportRequest,
  importAnswerSchema,
  PATHS,
  type ProofAnswer,
  problemSchema,
  proofSchema,
  type RecordedEvent,
  type RetryAnswer,
  type RollbackAnswer,
  type RollbackRequest,
  recordedEventSchema,
  retryAnswerSchema,
  rollbackAnswerSchema,
  type Status,
  statusSchema,
  type Transfers,
  transfersSchema,
  type Wish,
  type WishAnswer,
  wishAnswerSchema,
} from './api.ts'
import { parseEventStream } from './event-stream.ts'
import { errorOfProblem } from './problem.ts'

/**
 * Every call may fail with AGENT_NOT_RUNNING, PERMISSION (the socket, or the file of the token, belongs to somebody
 * else), TOKEN_INVALID, CONTROL_INVALID (what answers is not this API), ABORTED, and with the error that the agent itself reports.
 */
export interface ControlClient {
  status(options?: CallOptions): Promise<Status>
  /** Asks for a look for updates now, of one product or of all. The answer's cursor is where to follow events from. */
  check(check?: CheckRequest, options?: CallOptions): Promise<CheckAnswer>
  /** Asks the agent to import an exported file. Errors: EXPORT_INVALID, PRODUCT_UNKNOWN, and what reading it fails with. */
  import(request: ImportRequest, options?: CallOptions): Promise<ImportAnswer>
  /** The product's updates, newest first. Errors: PRODUCT_UNKNOWN. */
  history(product: string, options?: HistoryOptions): Promise<History>
  /** Goes back to another version that is kept. Errors: PRODUCT_UNKNOWN, RELEASE_UNKNOWN, USAGE, VERSION_INVALID. */
  rollback(product: string, rollback?: RollbackRequest, options?: CallOptions): Promise<RollbackAnswer>
  /** Forgets which versions were bad on this machine, and asks for a look. Errors: PRODUCT_UNKNOWN. */
  retry(product: string, options?: CallOptions): Promise<RetryAnswer>
  /** Tells the agent what its owner wants for the product. Errors: PRODUCT_UNKNOWN, RELEASE_UNKNOWN, VERSION_INVALID. */
  wish(product: string, wish: Wish, options?: CallOptions): Promise<WishAnswer>
  /** Verifies what is installed anew; waits for as long as that may take. Errors: PRODUCT_UNKNOWN, RELEASE_UNKNOWN, ROOT_UNKNOWN. */
  proof(product: string, options?: CallOptions): Promise<ProofAnswer>
  /** What is fetched and shared at this moment. */
  transfers(options?: CallOptions): Promise<Transfers>
  /**
   * Events after the cursor `after`, as they happen, over one connection: ends when the agent stops, and throws when the
   * connection is lost. Breaking out of the loop closes it. On `reset`, read the status and follow from its cursor.
   */
  events(after: number, options?: CallOptions): AsyncGenerator<RecordedEvent, void, undefined>
}

export interface CallOptions {
  readonly signal?: AbortSignal | undefined
}

export interface HistoryOptions extends CallOptions {
  /** The newest so many; undefined is all that are remembered. */
  readonly limit?: number | undefined
}

export interface ControlClientOptions {
  /** How long an answer may be silent before it is given up. */
  readonly answerTimeoutMs?: number
  /** The same for events, where a living agent is never silent for longer than its heartbeat. */
  readonly eventsTimeoutMs?: number
}

/** Nothing is opened until the first call, and nothing stays open after one. */
export const controlClient = (
  address: ControlAddress,
  {
    answerTimeoutMs = LIMITS.controlAnswerTimeoutMs,
    eventsTimeoutMs = 3 * LIMITS.controlHeartbeatMs,
  }: ControlClientOptions = {},
): ControlClient => {
  const ask = { address, timeoutMs: answerTimeoutMs }
  return {
    status: async ({ signal } = {}) =>
      parseAnswer(statusSchema, await call({ ...ask, method: 'GET', path: PATHS.status, signal })),
    check: async (check = {}, { signal } = {}) =>
      parseAnswer(checkAnswerSchema, await call({ ...ask, method: 'POST', path: PATHS.check, body: check, signal })),
    import: async (request, { signal } = {}) =>
      parseAnswer(
        importAnswerSchema,
        await call({ ...ask, method: 'POST', path: PATHS.import, body: request, signal }),
      ),
    history: async (product, { limit, signal } = {}) => {
      const path = pathOf('history', product)
      const query = limit === undefined ? '' : `?limit=${limit}`
      return parseAnswer(historySchema, await call({ ...ask, method: 'GET', path: `${path}${query}`, signal }))
    },
    rollback: async (product, body = {}, { signal } = {}) => {
      const path = pathOf('rollback', product)
      return parseAnswer(rollbackAnswerSchema, await call({ ...ask, method: 'POST', path, body, signal }))
    },
    retry: async (product, { signal } = {}) => {
      const path = pathOf('retry', product)
      return parseAnswer(retryAnswerSchema, await call({ ...ask, method: 'POST', path, signal }))
    },
    wish: async (product, wish, { signal } = {}) => {
      const path = pathOf('wishes', product)
      return parseAnswer(wishAnswerSchema, await call({ ...ask, method: 'POST', path, body: wish, signal }))
    },
    proof: async (product, { signal } = {}) => {
      const patient = { ...ask, timeoutMs: Math.max(answerTimeoutMs, LIMITS.controlProofTimeoutMs) }
      return parseAnswer(proofSchema, await call({ ...patient, method: 'GET', path: pathOf('proof', product), signal }))
    },
    transfers: async ({ signal } = {}) =>
      parseAnswer(transfersSchema, await call({ ...ask, method: 'GET', path: PATHS.transfers, signal })),
    events: (after, { signal } = {}) =>
      followEvents({
        address,
        timeoutMs: eventsTimeoutMs,
        method: 'GET',
        path: `${PATHS.events}?after=${after}`,
        signal,
      }),
  }
}

const pathOf = (of: 'history' | 'rollback' | 'retry' | 'wishes' | 'proof', product: string): string =>
  PATHS[of].replace(':product', encodeURIComponent(product))

interface Call {
  readonly address: ControlAddress
  readonly timeoutMs: number
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: unknown
  readonly signal: AbortSignal | undefined
}

const call = async (options: Call): Promise<unknown> => {
  const response = await send(options)
  const text = await readText(response, options)
  if (response.statusCode === 200 || response.statusCode === 202) return parseJson(text)
  throw problemIn(text, response)
}

async function* followEvents(options: Call): AsyncGenerator<RecordedEvent, void, undefined> {
  const response = await send(options)
  if (response.statusCode !== 200) throw problemIn(await readText(response, options), response)
  response.setEncoding('utf8')
  try {
    for await (const { data } of parseEventStream(response, LIMITS.controlEventBytes)) {
      const recorded = parseEvent(data)
      if (recorded !== undefined) yield recorded
    }
  } catch (error) {
    throw fromConnection(error, options)
  } finally {
    response.destroy()
  }
}

/** Where the request goes, and what it needs to be let in. Errors: TOKEN_INVALID, PERMISSION. */
const doorOf = async (address: ControlAddress): Promise<RequestOptions> => {
  if (typeof address === 'string') return { socketPath: address, headers: { host: 'localhost' } }
  const { host, hostname, port } = new URL(address.url)
  const authorization = `Bearer ${await readToken(address.tokenFile)}`
  return { host: hostname.replaceAll(/[[\]]/g, ''), port, headers: { host, authorization } }
}

const readToken = async (file: string): Promise<string> => {
  try {
    const { size } = await stat(file)
    const token = size > LIMITS.controlTokenBytes ? '' : (await readFile(file, 'utf8')).trim()
    if (/^[\w.~+/=-]+$/.test(token)) return token
    throw new UpdateError('TOKEN_INVALID', `${file} has no token`, {
      hint: 'the agent writes its own to control-token in its state folder',
    })
  } catch (error) {
    if (isUpdateError(error)) throw error
    if (systemCodeOf(error) === 'ENOENT') {
      throw new UpdateError('TOKEN_INVALID', `there is no token at ${file}`, {
        cause: error,
        hint: 'set UPDRAFT_CONTROL_TOKEN_FILE to the file of the agent, or unset UPDRAFT_CONTROL to use its socket',
      })
    }
    throw new UpdateError('PERMISSION', `the token cannot be read: ${messageOf(error)}`, { cause: error })
  }
}

/** Sends the request and waits for the head of the answer. Silence, then or later, ends the connection. */
const send = async (options: Call): Promise<IncomingMessage> => {
  const { address, timeoutMs, method, path, body, signal } = options
  const content = body === undefined ? undefined : JSON.stringify(body)
  const { headers, ...door } = await doorOf(address)
  const contentHeaders =
    content === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(content) }
  return new Promise((resolve, reject) => {
    const outgoing = request({
      ...door,
      method,
      path,
      headers: { ...headers, ...contentHeaders } as Record<string, string | number>,
      agent: false,
      timeout: timeoutMs,
      ...(signal === undefined ? {} : { signal }),
    })
    // Once there is an answer, it is the one that has to fail: destroying the request would look like a lost connection.
    let waiting: { destroy(error: Error): unknown } = outgoing
    outgoing.on('timeout', () =>
      waiting.destroy(new UpdateError('CONTROL_INVALID', `the agent was silent for ${timeoutMs / 1_000} s`)),
    )
    outgoing.on('response', (response) => {
      waiting = response
      resolve(response)
    })
    outgoing.on('error', (error) => reject(fromConnection(error, options)))
    outgoing.end(content)
  })
}

const readText = async (response: IncomingMessage, options: Call): Promise<string> => {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      length += chunk.length
      if (length > LIMITS.controlAnswerBytes) {
        throw new UpdateError('CONTROL_INVALID', `the agent's answer has more than ${LIMITS.controlAnswerBytes} bytes`)
      }
      chunks.push(chunk)
    }
  } catch (error) {
    throw fromConnection(error, options)
  }
  return Buffer.concat(chunks).toString('utf8')
}

const parseJson = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new UpdateError('CONTROL_INVALID', `the agent's answer is not JSON: ${messageOf(error)}`, { cause: error })
  }
}

interface Schema<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false; error: Error }
}

const parseAnswer = <T>(schema: Schema<T>, value: unknown): T => {
  const result = schema.safeParse(value)
  if (result.success) return result.data
  throw new UpdateError(
    'CONTROL_INVALID',
    `the agent's answer is not what this program expects: ${result.error.message}`,
    {
      cause: result.error,
      hint: 'agent and program may be of different versions: update both',
    },
  )
}

/** Undefined for an event of a kind that was added after this program was made. */
const parseEvent = (data: string): RecordedEvent | undefined => {
  const value = parseJson(data)
  const kind = (value as { event?: { kind?: unknown } } | null)?.event?.kind
  if (typeof kind === 'string' && !EVENT_KINDS.has(kind)) return undefined
  return parseAnswer(recordedEventSchema, value)
}

const problemIn = (text: string, { statusCode }: IncomingMessage): UpdateError => {
  const problem = problemSchema.safeParse(parseJson(text))
  if (problem.success) return errorOfProblem(problem.data)
  return new UpdateError('CONTROL_INVALID', `the agent answered with status ${statusCode} and no explanation`)
}

const fromConnection = (error: unknown, { address, signal }: Call): unknown => {
  const where = typeof address === 'string' ? address : address.url
  if (hasCode(error, 'CONTROL_INVALID')) return error
  if (signal?.aborted === true)
    return new UpdateError('ABORTED', 'the question to the agent was given up', { cause: error })
  switch (systemCodeOf(error)) {
    case 'ENOENT':
    case 'ECONNREFUSED':
      return new UpdateError('AGENT_NOT_RUNNING', `no agent answers on ${where}`, {
        cause: error,
        hint: 'start it with: updraft-agent run; or is the agent of the machine meant? It is asked with UPDRAFT_SYSTEM=1',
      })
    case 'EACCES':
    case 'EPERM':
      return new UpdateError('PERMISSION', `the agent's socket ${where} is not open to this user`, {
        cause: error,
        hint: 'its owner and the members of its group may ask; for the service: sudo usermod -aG updraft NAME, and sign in again',
      })
    case 'ECONNRESET':
    case 'EPIPE':
      return new UpdateError('AGENT_NOT_RUNNING', `the agent on ${where} closed the connection`, { cause: error })
    default:
      return new UpdateError('CONTROL_INVALID', `the conversation with the agent failed: ${messageOf(error)}`, {
        cause: error,
      })
  }
}
