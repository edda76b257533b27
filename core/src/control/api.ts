// The control API, version 1: what an agent says of itself over its local socket, typed once for both ends. Wire types
// only; the agent's internal types are its own. Changing anything here changes API_VERSION or is an optional addition.
// A namespace import, so that a bundler can leave out what is not used (447 KB of zod become 94).
import * as z from 'zod'
import { findingSchema, TRUST_LEVELS } from '../trust/finding.ts'
import { VERIFICATION_LEVELS } from '../trust/verification.ts'

export const API_VERSION = 1

const isoTime = z.string()
const lengthBytes = z.number().int().min(0)

/** States of an update, in order; the last three end it. */
export const UPDATE_STATES = [
  'checking',
  'planned',
  'downloading',
  'verifying',
  'staged',
  'waiting',
  'activating',
  'probing',
  'committed',
  'rolled-back',
  'failed',
] as const
export type UpdateState = (typeof UPDATE_STATES)[number]

/**
 * Where the bytes of an update came from: other machines, the publisher's origin (its seeder and its web seed), or this
 * machine itself (`reused`). Signed descriptions (metadata, index, metainfo), which every machine fetches over HTTP, are
 * not among them.
 */
export const bytesSchema = z.object({ peers: lengthBytes, origin: lengthBytes, reused: lengthBytes })
export type BytesFrom = z.output<typeof bytesSchema>

/** RFC 9457 problem details: every error of the API. `code` is one of ERROR_CODES. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.number().int(),
  detail: z.string(),
  code: z.string(),
  hint: z.string().optional(),
})
export type Problem = z.output<typeof problemSchema>

/** One rule of an update decision: what was asked, what was found. */
export const ruleSchema = z.object({
  rule: z.string(),
  passed: z.boolean(),
  detail: z.string(),
  /** The release that was asked about, where it was one of several. */
  version: z.string().optional(),
  /** When a rule that did not pass is asked again, where time decides. */
  recheckAt: isoTime.optional(),
})
export type Rule = z.output<typeof ruleSchema>

export const signerSchema = z.object({
  keyId: z.string(),
  /** Who holds the key, and the pinned authority that vouches for it; absent if none does. */
  name: z.string().optional(),
  authority: z.string().optional(),
})
export type Signer = z.output<typeof signerSchema>

export const updateSchema = z.object({
  version: z.string(),
  state: z.enum(UPDATE_STATES),
  /** Bytes that are on this machine, and the whole length: of the bundle, or, while one is fetched, of a patch to it. */
  haveBytes: lengthBytes,
  totalBytes: lengthBytes,
  bytes: bytesSchema,
  peers: z.number().int().min(0),
  startedAt: isoTime,
  endedAt: isoTime.optional(),
  error: problemSchema.optional(),
})
export type Update = z.output<typeof updateSchema>

export const productSchema = z.object({
  name: z.string(),
  source: z.string(),
  channel: z.string(),
  platform: z.string(),
  installed: z
    .object({
      version: z.string(),
      /** The folder that always holds the installed version. */
      path: z.string(),
      installedAt: isoTime,
      signers: z.array(signerSchema).readonly(),
      threshold: z.number().int(),
    })
    .optional(),
  /** How a version is brought into use: `directory`, `file`, `command` or `vsix`, or what a newer agent knows. */
  use: z
    .object({
      kind: z.string(),
      /** A path, or which program knows; absent before anything is installed. */
      place: z.string().optional(),
      /** The version that is in use there; absent if nobody can tell. */
      version: z.string().optional(),
    })
    .optional(),
  /** Versions that are not tried again on this machine, oldest mark first; `by` is who found them bad. */
  bad: z
    .array(z.object({ version: z.string(), by: z.string(), reason: z.string(), at: isoTime }))
    .readonly()
    .optional(),
  /** The newest release of the channel that trust rules accept, whether or not policy lets it in. */
  available: z.object({ version: z.string(), published: isoTime, notes: z.string().optional() }).optional(),
  update: updateSchema.optional(),
  decision: z.array(ruleSchema).readonly(),
  /** When the decision was made; absent before the first look that succeeded. */
  decidedAt: isoTime.optional(),
  /** How the last check of the product ended. */
  lastCheck: z.object({ at: isoTime, error: problemSchema.optional() }).optional(),
  /** When the product is looked at again; absent while a look is under way. */
  nextCheckAt: isoTime.optional(),
  trust: z.object({
    level: z.enum(TRUST_LEVELS),
    /** What the owner demands; absent for what is not in the settings. */
    verification: z.enum(VERIFICATION_LEVELS).optional(),
    signers: z.array(signerSchema).readonly(),
    threshold: z.number().int(),
    findings: z.array(findingSchema).readonly(),
  }),
  seeding: z.object({ releases: z.number().int(), peers: z.number().int(), uploadedBytes: lengthBytes }),
})
export type ProductStatus = z.output<typeof productSchema>

export const sourceSchema = z.object({
  name: z.string(),
  url: z.string(),
  root: z.object({
    version: z.number().int(),
    /** SHA-256 of the pinned root file, as `sha256:<hex>`. */
    fingerprint: z.string(),
    pinnedBy: z.enum(['file', 'fingerprint', 'first-use']),
  }),
  /** When the first of the trusted roles expires; undefined before the first refresh. */
  expires: z.object({ role: z.string(), at: isoTime }).optional(),
  /** The last check of any of its products; `error` is of one whose own last check failed, whether or not another's did. */
  lastCheck: z.object({ at: isoTime, error: problemSchema.optional() }).optional(),
  nextCheckAt: isoTime.optional(),
  /** It is never asked: releases come as exported files. */
  importOnly: z.boolean().optional(),
})
export type SourceStatus = z.output<typeof sourceSchema>

/** `GET /v1/status` */
export const statusSchema = z.object({
  apiVersion: z.literal(API_VERSION),
  agent: z.object({
    version: z.string(),
    pid: z.number().int(),
    hostname: z.string(),
    home: z.string(),
    startedAt: isoTime,
    /** TCP port of the swarm; 0 while it does not listen. */
    swarmPort: z.number().int(),
    /** Where the API is besides on the socket, for those who have its token: `http://127.0.0.1:PORT`. */
    controlUrl: z.string().optional(),
  }),
  sources: z.array(sourceSchema).readonly(),
  products: z.array(productSchema).readonly(),
  /** Events up to this cursor are contained in this answer: follow from here. */
  cursor: z.number().int().min(0),
})
export type Status = z.output<typeof statusSchema>

/** An update that is over or under way, with every state that it entered, in order. */
export const pastUpdateSchema = updateSchema.extend({
  platform: z.string(),
  steps: z.array(z.object({ state: z.enum(UPDATE_STATES), at: isoTime })).readonly(),
})
export type PastUpdate = z.output<typeof pastUpdateSchema>

/** `GET /v1/products/PRODUCT/history?limit=COUNT`: the newest `COUNT` (else all that are remembered), newest first. */
export const historySchema = z.object({ product: z.string(), updates: z.array(pastUpdateSchema).readonly() })
export type History = z.output<typeof historySchema>

/**
 * `GET /v1/events?after=CURSOR` (server-sent). Each event's `id` is its cursor; `Last-Event-ID` works as well.
 * A client that asks for events no longer kept gets one `reset` first, and reads the status again.
 */
export const eventSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('reset') }),
  z.object({ kind: z.literal('check'), source: z.string(), error: problemSchema.optional() }),
  z.object({ kind: z.literal('update'), product: z.string(), update: updateSchema }),
  z.object({ kind: z.literal('installed'), product: z.string(), version: z.string(), previous: z.string().optional() }),
  z.object({ kind: z.literal('seeding'), product: z.string(), version: z.string() }),
  z.object({ kind: z.literal('finding'), product: z.string(), finding: findingSchema }),
  z.object({ kind: z.literal('finding-cleared'), product: z.string(), code: z.string() }),
  /** An exported file was looked at, and what policy let in of it is installed; or it was refused. */
  z.object({
    kind: z.literal('import'),
    file: z.string(),
    product: z.string().optional(),
    error: problemSchema.optional(),
  }),
  /** An agent that updates itself was started, and is in good health. */
  z.object({ kind: z.literal('started'), version: z.string() }),
  z.object({ kind: z.literal('settings'), error: problemSchema.optional() }),
  /** A look for updates of the product has ended, well or with `error`, and no other one is waiting. */
  z.object({ kind: z.literal('idle'), product: z.string(), error: problemSchema.optional() }),
])
export type AgentEvent = z.output<typeof eventSchema>

/** Kinds may be added: a client passes over those that it does not know. */
export const EVENT_KINDS: ReadonlySet<string> = new Set<string>(
  eventSchema.options.map((option) => option.shape.kind.value),
)

/** An event as it is kept and sent: numbered without gaps from 1. */
export interface RecordedEvent {
  readonly cursor: number
  readonly at: string
  readonly event: AgentEvent
}

export const recordedEventSchema = z.object({ cursor: z.number().int(), at: isoTime, event: eventSchema })

/** `POST /v1/check`: look for updates now. Answers 202 when the check has been started or is already under way. */
export const checkRequestSchema = z.object({ product: z.string().optional() })
export type CheckRequest = z.output<typeof checkRequestSchema>
export const checkAnswerSchema = z.object({ cursor: z.number().int().min(0) })
export type CheckAnswer = z.output<typeof checkAnswerSchema>

/**
 * `POST /v1/products/PRODUCT/rollback`: leave the current version for `version`, or else for the newest older one that is kept
 * and not bad. The one that was left is marked bad on this machine. Answers 200 when it is done.
 */
export const rollbackRequestSchema = z.object({ version: z.string().optional() })
export type RollbackRequest = z.output<typeof rollbackRequestSchema>
export const rollbackAnswerSchema = z.object({
  /** Events up to here are contained. */
  cursor: z.number().int().min(0),
  version: z.string(),
  previous: z.string(),
})
export type RollbackAnswer = z.output<typeof rollbackAnswerSchema>

/**
 * `POST /v1/products/PRODUCT/retry`: forget which versions were bad on this machine, and look for updates now. Answers 202
 * with the versions that were marked, which may be none.
 */
export const retryAnswerSchema = z.object({ cursor: z.number().int().min(0), lifted: z.array(z.string()).readonly() })
export type RetryAnswer = z.output<typeof retryAnswerSchema>

/**
 * `POST /v1/products/PRODUCT/wishes`: what the owner of the machine wants for the product from now on. It is looked at anew
 * then. Without `until` a hold is for ever; without `version`, what waits for approval is approved.
 */
export const wishSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('hold'), until: z.iso.datetime().optional() }),
  z.object({ kind: z.literal('unhold') }),
  z.object({ kind: z.literal('approve'), version: z.string().optional() }),
  z.object({ kind: z.literal('skip'), version: z.string() }),
])
export type Wish = z.output<typeof wishSchema>
export const wishAnswerSchema = z.object({
  product: z.string(),
  kind: z.enum(['hold', 'unhold', 'approve', 'skip']),
  version: z.string().optional(),
  until: isoTime.optional(),
  /** False if it was so already. */
  changed: z.boolean(),
})
export type WishAnswer = z.output<typeof wishAnswerSchema>

/**
 * `POST /v1/import`: look for the release that an exported file brings. The agent reads the file itself, so the path has to be
 * absolute. Answers 202 once the file was found to be one; an event `import` tells what came of it.
 */
export const importRequestSchema = z.object({ file: z.string().min(1).max(4_096).startsWith('/') })
export type ImportRequest = z.output<typeof importRequestSchema>
export const importAnswerSchema = checkAnswerSchema.extend({ product: z.string() })
export type ImportAnswer = z.output<typeof importAnswerSchema>

/** `metrics` answers in the text format of Prometheus; everything else is JSON. Each is described in openapi.ts. */
export const PATHS = {
  status: '/v1/status',
  events: '/v1/events',
  check: '/v1/check',
  import: '/v1/import',
  history: '/v1/products/:product/history',
  rollback: '/v1/products/:product/rollback',
  retry: '/v1/products/:product/retry',
  wishes: '/v1/products/:product/wishes',
  metrics: '/metrics',
  openapi: '/v1/openapi.json',
} as const
