// The control API, version 1: what an agent says of itself over its local socket, typed once for both ends. Wire types
// only; the agent's internal types are its own. Changing anything here changes API_VERSION or is an optional addition.
// zod/mini, as a namespace, so that a bundler can leave out what is not used: 447 KB of zod become 29 in the extension.
import * as z from 'zod/mini'
import { findingSchema, TRUST_LEVELS } from '../trust/finding.ts'
import { VERIFICATION_LEVELS } from '../trust/verification.ts'

export const API_VERSION = 1

const isoTime = z.string()
const lengthBytes = z.int().check(z.minimum(0))

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
 * machine itself (`reused`). Signed descriptions (metadata, index, metainfo), which come over HTTP or from
 * other machines, are not among them.
 */
export const bytesSchema = z.object({ peers: lengthBytes, origin: lengthBytes, reused: lengthBytes })
export type BytesFrom = z.output<typeof bytesSchema>

/** RFC 9457 problem details: every error of the API. `code` is one of ERROR_CODES. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.string(),
  hint: z.optional(z.string()),
})
export type Problem = z.output<typeof problemSchema>

/** One rule of an update decision: what was asked, what was found. */
export const ruleSchema = z.object({
  rule: z.string(),
  passed: z.boolean(),
  detail: z.string(),
  /** The release that was asked about, where it was one of several. */
  version: z.optional(z.string()),
  /** When a rule that did not pass is asked again, where time decides. */
  recheckAt: z.optional(isoTime),
})
export type Rule = z.output<typeof ruleSchema>

export const signerSchema = z.object({
  keyId: z.string(),
  /** Who holds the key, and the pinned authority that vouches for it; absent if none does. */
  name: z.optional(z.string()),
  authority: z.optional(z.string()),
  /** Of the holder, as the certificate has it. */
  organization: z.optional(z.string()),
  /** When the first of the certificates that lead to the authority is over. */
  validUntil: z.optional(isoTime),
})
export type Signer = z.output<typeof signerSchema>

export const updateSchema = z.object({
  version: z.string(),
  state: z.enum(UPDATE_STATES),
  /** Bytes that are on this machine, and the whole length: of the bundle, or, while one is fetched, of a patch to it. */
  haveBytes: lengthBytes,
  totalBytes: lengthBytes,
  bytes: bytesSchema,
  peers: z.int().check(z.minimum(0)),
  startedAt: isoTime,
  endedAt: z.optional(isoTime),
  error: z.optional(problemSchema),
})
export type Update = z.output<typeof updateSchema>

export const productSchema = z.object({
  name: z.string(),
  source: z.string(),
  channel: z.string(),
  platform: z.string(),
  installed: z.optional(
    z.object({
      version: z.string(),
      /** The folder that always holds the installed version. */
      path: z.string(),
      installedAt: isoTime,
      signers: z.readonly(z.array(signerSchema)),
      threshold: z.int(),
    }),
  ),
  /** How a version is brought into use: `directory`, `file`, `command` or `vsix`, or what a newer agent knows. */
  use: z.optional(
    z.object({
      kind: z.string(),
      /** A path, or which program knows; absent before anything is installed. */
      place: z.optional(z.string()),
      /** The version that is in use there; absent if nobody can tell. */
      version: z.optional(z.string()),
    }),
  ),
  /** Versions that are not tried again on this machine, oldest mark first; `by` is who found them bad. */
  bad: z.optional(
    z.readonly(z.array(z.object({ version: z.string(), by: z.string(), reason: z.string(), at: isoTime }))),
  ),
  /** The newest release of the channel that trust rules accept, whether or not policy lets it in. */
  available: z.optional(z.object({ version: z.string(), published: isoTime, notes: z.optional(z.string()) })),
  update: z.optional(updateSchema),
  decision: z.readonly(z.array(ruleSchema)),
  /** When the decision was made; absent before the first look that succeeded. */
  decidedAt: z.optional(isoTime),
  /** How the last check of the product ended. */
  lastCheck: z.optional(z.object({ at: isoTime, error: z.optional(problemSchema) })),
  /** When the product is looked at again; absent while a look is under way. */
  nextCheckAt: z.optional(isoTime),
  trust: z.object({
    level: z.enum(TRUST_LEVELS),
    /** What the owner demands; absent for what is not in the settings. */
    verification: z.optional(z.enum(VERIFICATION_LEVELS)),
    signers: z.readonly(z.array(signerSchema)),
    threshold: z.int(),
    findings: z.readonly(z.array(findingSchema)),
  }),
  seeding: z.object({ releases: z.int(), peers: z.int(), uploadedBytes: lengthBytes }),
})
export type ProductStatus = z.output<typeof productSchema>

export const sourceSchema = z.object({
  name: z.string(),
  url: z.string(),
  root: z.object({
    version: z.int(),
    /** SHA-256 of the pinned root file, as `sha256:<hex>`. */
    fingerprint: z.string(),
    pinnedBy: z.enum(['file', 'fingerprint', 'first-use']),
  }),
  /** When the first of the trusted roles expires; undefined before the first refresh. */
  expires: z.optional(z.object({ role: z.string(), at: isoTime })),
  /** The last check of any of its products; `error` is of one whose own last check failed, whether or not another's did. */
  lastCheck: z.optional(z.object({ at: isoTime, error: z.optional(problemSchema) })),
  /**
   * Where the newest metadata came from when it was last looked for with success, and when: `mirror`, `peer` (another machine),
   * `dht` (one that the distributed hash table led to), `file`, or what a newer agent knows. Absent before that, and after a restart.
   */
  newest: z.optional(z.object({ from: z.string(), url: z.string(), at: isoTime })),
  nextCheckAt: z.optional(isoTime),
  /** It is never asked: releases come as exported files. */
  importOnly: z.optional(z.boolean()),
})
export type SourceStatus = z.output<typeof sourceSchema>

/** `GET /v1/status` */
/** How much of the network this machine may use for sharing at this moment. */
export const sharingSchema = z.object({
  /** `2026-01`, on the wall clock of the machine. */
  month: z.string(),
  /** To peers in this month, in bytes of payload. */
  sentBytes: z.object({ lan: lengthBytes, outside: lengthBytes }),
  /** What may be sent to peers outside the LAN in a month; absent without a limit. */
  quotaBytes: z.optional(lengthBytes),
  /** Why nothing is sent to peers outside the LAN; absent while something is. */
  paused: z.optional(z.enum(['quota', 'metered', 'schedule'])),
  /** In bytes per second; what is absent is without limit. */
  limits: z.object({
    uploadBytes: z.optional(lengthBytes),
    downloadBytes: z.optional(lengthBytes),
    lanUploadBytes: z.optional(lengthBytes),
    lanDownloadBytes: z.optional(lengthBytes),
  }),
})
export type Sharing = z.output<typeof sharingSchema>

export const statusSchema = z.object({
  apiVersion: z.literal(API_VERSION),
  agent: z.object({
    version: z.string(),
    pid: z.int(),
    hostname: z.string(),
    home: z.string(),
    startedAt: isoTime,
    /** TCP port of the swarm; 0 while it does not listen. */
    swarmPort: z.int(),
    /** Where the API is besides on the socket, for those who have its token: `http://127.0.0.1:PORT`. */
    controlUrl: z.optional(z.string()),
  }),
  sources: z.readonly(z.array(sourceSchema)),
  products: z.readonly(z.array(productSchema)),
  /** Absent from agents before 0.2. */
  sharing: z.optional(sharingSchema),
  /** Events up to this cursor are contained in this answer: follow from here. */
  cursor: z.int().check(z.minimum(0)),
})
export type Status = z.output<typeof statusSchema>

/** An update that is over or under way, with every state that it entered, in order. */
export const pastUpdateSchema = z.extend(updateSchema, {
  platform: z.string(),
  steps: z.readonly(z.array(z.object({ state: z.enum(UPDATE_STATES), at: isoTime }))),
})
export type PastUpdate = z.output<typeof pastUpdateSchema>

/** `GET /v1/products/PRODUCT/history?limit=COUNT`: the newest `COUNT` (else all that are remembered), newest first. */
export const historySchema = z.object({ product: z.string(), updates: z.readonly(z.array(pastUpdateSchema)) })
export type History = z.output<typeof historySchema>

/**
 * `GET /v1/events?after=CURSOR` (server-sent). Each event's `id` is its cursor; `Last-Event-ID` works as well.
 * A client that asks for events no longer kept gets one `reset` first, and reads the status again.
 */
export const eventSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('reset') }),
  z.object({ kind: z.literal('check'), source: z.string(), error: z.optional(problemSchema) }),
  z.object({ kind: z.literal('update'), product: z.string(), update: updateSchema }),
  z.object({
    kind: z.literal('installed'),
    product: z.string(),
    version: z.string(),
    previous: z.optional(z.string()),
  }),
  z.object({ kind: z.literal('seeding'), product: z.string(), version: z.string() }),
  z.object({ kind: z.literal('finding'), product: z.string(), finding: findingSchema }),
  z.object({ kind: z.literal('finding-cleared'), product: z.string(), code: z.string() }),
  /** An exported file was looked at, and what policy let in of it is installed; or it was refused. */
  z.object({
    kind: z.literal('import'),
    file: z.string(),
    product: z.optional(z.string()),
    error: z.optional(problemSchema),
  }),
  /** An agent that updates itself was started, and is in good health. */
  z.object({ kind: z.literal('started'), version: z.string() }),
  z.object({ kind: z.literal('settings'), error: z.optional(problemSchema) }),
  /** A look for updates of the product has ended, well or with `error`, and no other one is waiting. */
  z.object({ kind: z.literal('idle'), product: z.string(), error: z.optional(problemSchema) }),
])
export type AgentEvent = z.output<typeof eventSchema>

/** Kinds may be added: a client passes over those that it does not know. */
export const EVENT_KINDS: ReadonlySet<string> = new Set<string>(
  eventSchema.def.options.flatMap((option) => option.shape.kind.def.values),
)

/** An event as it is kept and sent: numbered without gaps from 1. */
export interface RecordedEvent {
  readonly cursor: number
  readonly at: string
  readonly event: AgentEvent
}

export const recordedEventSchema = z.object({ cursor: z.int(), at: isoTime, event: eventSchema })

/** `POST /v1/check`: look for updates now. Answers 202 when the check has been started or is already under way. */
export const checkRequestSchema = z.object({ product: z.optional(z.string()) })
export type CheckRequest = z.output<typeof checkRequestSchema>
export const checkAnswerSchema = z.object({ cursor: z.int().check(z.minimum(0)) })
export type CheckAnswer = z.output<typeof checkAnswerSchema>

/**
 * `POST /v1/products/PRODUCT/rollback`: leave the current version for `version`, or else for the newest older one that is kept
 * and not bad. The one that was left is marked bad on this machine. Answers 200 when it is done.
 */
export const rollbackRequestSchema = z.object({ version: z.optional(z.string()) })
export type RollbackRequest = z.output<typeof rollbackRequestSchema>
export const rollbackAnswerSchema = z.object({
  /** Events up to here are contained. */
  cursor: z.int().check(z.minimum(0)),
  version: z.string(),
  previous: z.string(),
})
export type RollbackAnswer = z.output<typeof rollbackAnswerSchema>

/**
 * `POST /v1/products/PRODUCT/retry`: forget which versions were bad on this machine, and look for updates now. Answers 202
 * with the versions that were marked, which may be none.
 */
export const retryAnswerSchema = z.object({
  cursor: z.int().check(z.minimum(0)),
  lifted: z.readonly(z.array(z.string())),
})
export type RetryAnswer = z.output<typeof retryAnswerSchema>

/**
 * `POST /v1/products/PRODUCT/wishes`: what the owner of the machine wants for the product from now on. It is looked at anew
 * then. Without `until` a hold is for ever; without `version`, what waits for approval is approved.
 */
export const wishSchema = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('hold'), until: z.optional(z.iso.datetime()) }),
  z.object({ kind: z.literal('unhold') }),
  z.object({ kind: z.literal('approve'), version: z.optional(z.string()) }),
  z.object({ kind: z.literal('skip'), version: z.string() }),
])
export type Wish = z.output<typeof wishSchema>
export const wishAnswerSchema = z.object({
  product: z.string(),
  kind: z.enum(['hold', 'unhold', 'approve', 'skip']),
  version: z.optional(z.string()),
  until: z.optional(isoTime),
  /** False if it was so already. */
  changed: z.boolean(),
})
export type WishAnswer = z.output<typeof wishAnswerSchema>

/**
 * `POST /v1/import`: look for the release that an exported file brings. The agent reads the file itself, so the path has to be
 * absolute. Answers 202 once the file was found to be one; an event `import` tells what came of it.
 */
export const importRequestSchema = z.object({
  file: z.string().check(z.minLength(1), z.maxLength(4_096), z.startsWith('/')),
})
export type ImportRequest = z.output<typeof importRequestSchema>
export const importAnswerSchema = z.extend(checkAnswerSchema, { product: z.string() })
export type ImportAnswer = z.output<typeof importAnswerSchema>

/**
 * `GET /v1/products/PRODUCT/proof`: what is installed, verified anew from the pinned root, file by file. Needs no network
 * and changes nothing; takes as long as reading every file does.
 */
export const proofSchema = z.object({
  product: z.string(),
  path: z.string(),
  /** Nothing but remarks was found. */
  isGood: z.boolean(),
  /** The installed release, as it was signed; empty if it is not among the signed ones. */
  releases: z.readonly(
    z.array(
      z.object({
        version: z.string(),
        platform: z.string(),
        published: isoTime,
        signers: z.readonly(z.array(signerSchema)),
        threshold: z.int(),
      }),
    ),
  ),
  /** `code` is one of FINDINGS, or an error code in lower case. */
  findings: z.readonly(z.array(z.omit(findingSchema, { since: true }))),
  /** The first of the files that are not as they were signed. */
  differences: z.readonly(z.array(z.object({ kind: z.string(), path: z.string(), detail: z.string() }))),
  differenceCount: z.int().check(z.minimum(0)),
})
export type ProofAnswer = z.output<typeof proofSchema>

/** One torrent that is in the swarm now: being fetched, or shared. */
export const transferSchema = z.object({
  /** `<product>_<version>_<platform>` of a bundle, with `_from_<hex>` of a patch. */
  name: z.string(),
  haveBytes: lengthBytes,
  totalBytes: lengthBytes,
  /** Received since it was added. */
  bytes: bytesSchema,
  uploadedBytes: lengthBytes,
  /** Connected peers by what they are; web seeds are no peers and are counted as known, not as connected. */
  peers: z.object({
    origin: z.int().check(z.minimum(0)),
    /** They have all of it. */
    complete: z.int().check(z.minimum(0)),
    partial: z.int().check(z.minimum(0)),
    webSeeds: z.int().check(z.minimum(0)),
  }),
  /** Why web seeds are asked at this moment; absent while peers suffice. */
  fallback: z.optional(z.enum(['no-peers', 'no-answer', 'slow-peers', 'deadline'])),
})
export type Transfer = z.output<typeof transferSchema>

/** `GET /v1/transfers` */
export const transfersSchema = z.object({
  transfers: z.readonly(z.array(transferSchema)),
  sharing: z.optional(sharingSchema),
})
export type Transfers = z.output<typeof transfersSchema>

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
  proof: '/v1/products/:product/proof',
  transfers: '/v1/transfers',
  metrics: '/metrics',
  openapi: '/v1/openapi.json',
} as const
