// The control API as an OpenAPI document, made from the wire types of api.ts, so that the two cannot differ. Describes; what
// answers is the agent. A path that is added to PATHS does not compile before it is described here.
// Source: OpenAPI 3.1.1; its schemas are JSON Schema 2020-12, which zod writes.
import * as z from 'zod'
import { findingSchema } from '../trust/finding.ts'
import {
  API_VERSION,
  checkAnswerSchema,
  checkRequestSchema,
  eventSchema,
  historySchema,
  importAnswerSchema,
  importRequestSchema,
  PATHS,
  pastUpdateSchema,
  problemSchema,
  productSchema,
  proofSchema,
  recordedEventSchema,
  retryAnswerSchema,
  rollbackAnswerSchema,
  rollbackRequestSchema,
  ruleSchema,
  sharingSchema,
  signerSchema,
  sourceSchema,
  statusSchema,
  transferSchema,
  transfersSchema,
  updateSchema,
  wishAnswerSchema,
  wishSchema,
} from './api.ts'

/** The whole document; the same for every agent of this API version. */
export const openApiDocument = (): object => ({
  openapi: '3.1.1',
  info: {
    title: 'Control API of the Updraft agent',
    version: String(API_VERSION),
    summary: 'What an agent says of itself over its local socket, and what it can be asked to do',
    description: DESCRIPTION,
    license: { name: 'MIT', identifier: 'MIT' },
  },
  servers: [
    { url: 'http://localhost', description: 'over the control socket: curl --unix-socket agent.sock' },
    {
      url: 'http://{address}:{port}',
      description: 'on a port of this machine, if the settings ask for it (control.loopback); with the token',
      variables: {
        address: { default: '127.0.0.1', enum: ['127.0.0.1', '[::1]', 'localhost'] },
        port: { default: '8735' },
      },
    },
  ],
  // Nothing on the socket, which the operating system guards; the token on a port.
  security: [{}, { token: [] }],
  paths: Object.fromEntries(
    Object.entries(OPERATIONS).map(([name, operation]) => [
      PATHS[name as keyof typeof PATHS].replaceAll(/:(\w+)/g, '{$1}'),
      pathItemOf(name, operation),
    ]),
  ),
  components: {
    schemas: schemasOf(),
    securitySchemes: {
      token: {
        type: 'http',
        scheme: 'bearer',
        description:
          'What is in the file `control-token` of the state folder, which only the user of the agent may read: 256 random bits, others after each start',
      },
    },
    responses: {
      Problem: {
        description: 'Every failure, as problem details (RFC 9457); `code` says which of the errors of Updraft it is',
        content: { 'application/problem+json': { schema: refTo('Problem') } },
      },
    },
  },
})

const DESCRIPTION =
  `HTTP over a unix socket, which only its owner (and the members of a group, if one is set) may open; if the settings
ask for it also on a port of the loopback interface, with a token. Requests with an \`Origin\` that the settings do not
name, or for another \`Host\` than the agent's own (localhost on the socket; 127.0.0.1, [::1] or localhost with just its
port on a port), are refused. Fields and kinds of events may be added without a new version: pass over what you do not
know.`.replaceAll('\n', ' ')

const SCHEMAS = {
  Problem: problemSchema,
  Rule: ruleSchema,
  Signer: signerSchema,
  Finding: findingSchema,
  Update: updateSchema,
  PastUpdate: pastUpdateSchema,
  Product: productSchema,
  Source: sourceSchema,
  Status: statusSchema,
  History: historySchema,
  Event: eventSchema,
  RecordedEvent: recordedEventSchema,
  CheckRequest: checkRequestSchema,
  CheckAnswer: checkAnswerSchema,
  ImportRequest: importRequestSchema,
  ImportAnswer: importAnswerSchema,
  RollbackRequest: rollbackRequestSchema,
  RollbackAnswer: rollbackAnswerSchema,
  RetryAnswer: retryAnswerSchema,
  Wish: wishSchema,
  WishAnswer: wishAnswerSchema,
  Proof: proofSchema,
  Sharing: sharingSchema,
  Transfer: transferSchema,
  Transfers: transfersSchema,
} as const

type SchemaName = keyof typeof SCHEMAS

const refTo = (name: SchemaName) => ({ $ref: `#/components/schemas/${name}` })

interface Operation {
  readonly method: 'get' | 'post'
  readonly summary: string
  readonly query?: readonly object[]
  readonly request?: SchemaName
  readonly status: 200 | 202
  /** Media type and schema of the answer. */
  readonly answer: readonly [mediaType: string, schema: object, description: string]
}

const json = (name: SchemaName, description: string): Operation['answer'] => [
  'application/json',
  refTo(name),
  description,
]

const OPERATIONS: Readonly<Record<keyof typeof PATHS, Operation>> = {
  status: {
    method: 'get',
    summary: 'What is installed, available and trusted, and what is under way',
    status: 200,
    answer: json('Status', 'The status, with the cursor from which to follow the events'),
  },
  events: {
    method: 'get',
    summary: 'What happened after a cursor, and what happens, as server-sent events',
    query: [
      {
        name: 'after',
        in: 'query',
        description: 'Cursor of the last event seen; else all that are kept. `Last-Event-ID` works as well.',
        schema: { type: 'integer', minimum: 0 },
      },
    ],
    status: 200,
    answer: ['text/event-stream', refTo('RecordedEvent'), 'The schema is that of the `data` of each message'],
  },
  check: {
    method: 'post',
    summary: 'Look for updates now, of one product or of all',
    request: 'CheckRequest',
    status: 202,
    answer: json(
      'CheckAnswer',
      'The look has been started, or is already under way: follow the events from the cursor',
    ),
  },
  import: {
    method: 'post',
    summary: 'Look for the release that an exported file brings',
    request: 'ImportRequest',
    status: 202,
    answer: json('ImportAnswer', 'The file is one: an event `import` after the cursor tells what came of it'),
  },
  history: {
    method: 'get',
    summary: 'The updates of a product, newest first',
    query: [
      {
        name: 'limit',
        in: 'query',
        description: 'The newest so many; else all that are remembered',
        schema: { type: 'integer', minimum: 1, maximum: 999_999 },
      },
    ],
    status: 200,
    answer: json('History', 'Each update with every state that it entered'),
  },
  rollback: {
    method: 'post',
    summary: 'Leave the current version of a product for an older one that is kept',
    request: 'RollbackRequest',
    status: 200,
    answer: json('RollbackAnswer', 'Done; the version that was left is marked bad on this machine'),
  },
  retry: {
    method: 'post',
    summary: 'Forget which versions of a product were bad on this machine, and look for updates now',
    status: 202,
    answer: json('RetryAnswer', 'The versions that were marked, which may be none'),
  },
  wishes: {
    method: 'post',
    summary: 'Say what the owner of the machine wants for a product from now on: hold, unhold, approve, skip',
    request: 'Wish',
    status: 200,
    answer: json('WishAnswer', 'Taken down, and the product is looked at anew'),
  },
  proof: {
    method: 'get',
    summary: 'Verify what is installed of a product anew, file by file, without any network',
    status: 200,
    answer: json('Proof', 'What was found; nothing was changed'),
  },
  transfers: {
    method: 'get',
    summary: 'What is fetched and shared at this moment, with whom',
    status: 200,
    answer: json('Transfers', 'Every torrent that is in the swarm'),
  },
  metrics: {
    method: 'get',
    summary: 'The status as numbers, for Prometheus',
    status: 200,
    answer: ['text/plain; version=0.0.4; charset=utf-8', { type: 'string' }, 'Text format 0.0.4 of Prometheus'],
  },
  openapi: {
    method: 'get',
    summary: 'This document',
    status: 200,
    answer: ['application/json', { type: 'object' }, 'OpenAPI 3.1'],
  },
}

const pathItemOf = (name: string, { method, summary, query = [], request, status, answer }: Operation): object => {
  const [mediaType, schema, description] = answer
  const inPath = [...PATHS[name as keyof typeof PATHS].matchAll(/:(\w+)/g)].map(([, parameter]) => ({
    name: parameter,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
  return {
    [method]: {
      operationId: name,
      summary,
      ...(inPath.length + query.length === 0 ? {} : { parameters: [...inPath, ...query] }),
      ...(request === undefined
        ? {}
        : { requestBody: { content: { 'application/json': { schema: refTo(request) } } } }),
      responses: {
        [status]: { description, content: { [mediaType]: { schema } } },
        default: { $ref: '#/components/responses/Problem' },
      },
    },
  }
}

/** Each schema by its name, and a reference wherever one contains another. */
const schemasOf = (): Readonly<Record<string, object>> => {
  const registry = z.registry<{ id: string }>()
  for (const [id, schema] of Object.entries(SCHEMAS)) registry.add(schema, { id })
  // As of the sender's side: what is added later must not make an answer invalid.
  const { schemas } = z.toJSONSchema(registry, { io: 'input', uri: (id) => refTo(id as SchemaName).$ref })
  return Object.fromEntries(
    Object.entries(schemas).map(([name, { $schema: _, $id: __, ...schema }]) => [name, schema as object]),
  )
}
