// An agent's end of the control API as an ordinary HTTP server on a socket: it says what a test wants said, hostile things
// included, but only in the form that the schemas allow.
import { once } from 'node:events'
import { createServer, type Server, type ServerResponse } from 'node:http'
import {
  type AgentEvent,
  type CheckRequest,
  checkRequestSchema,
  PATHS,
  type Problem,
  type ProductStatus,
  type RecordedEvent,
  type Status,
  statusSchema,
  type Update,
} from '@updraft/core/control/api'
import { formatMessage } from '@updraft/core/control/event-stream'

export interface ControlServer extends AsyncDisposable {
  /** Answers `GET /v1/status` from now on. */
  status: Status
  /** If set, every question gets this problem. */
  problem: Problem | undefined
  /** Runs before a status is sent, so that a test can let things happen while it is being read. */
  beforeStatus: () => void
  readonly checks: readonly CheckRequest[]
  readonly statusReads: () => number
  readonly listeners: () => number
  /** Sends an event to whoever follows, and counts it into the cursor of the status. */
  readonly tell: (event: AgentEvent) => RecordedEvent
}

export const startControlServer = async (socketPath: string, status: Status): Promise<ControlServer> => {
  const followers = new Set<ServerResponse>()
  const checks: CheckRequest[] = []
  let statusReads = 0

  const http: Server = createServer(async (request, response) => {
    const url = new URL(request.url ?? '', 'http://localhost')
    if (control.problem !== undefined) return answer(response, control.problem.status, control.problem)
    if (url.pathname === PATHS.status) {
      statusReads += 1
      const snapshot = statusSchema.parse(control.status)
      control.beforeStatus()
      return answer(response, 200, snapshot)
    }
    if (url.pathname === PATHS.check) {
      let body = ''
      for await (const chunk of request) body += chunk
      checks.push(checkRequestSchema.parse(JSON.parse(body)))
      return answer(response, 202, { cursor: control.status.cursor })
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.flushHeaders()
    followers.add(response)
    response.on('close', () => followers.delete(response))
  })
  const control: ControlServer = {
    status,
    problem: undefined,
    beforeStatus: () => {},
    checks,
    statusReads: () => statusReads,
    listeners: () => followers.size,
    tell: (event) => {
      const recorded = { cursor: control.status.cursor + 1, at: '2026-03-03T10:00:00.000Z', event }
      control.status = { ...control.status, cursor: recorded.cursor }
      const message = formatMessage({ id: `${recorded.cursor}`, event: event.kind, data: JSON.stringify(recorded) })
      for (const follower of followers) follower.write(message)
      return recorded
    },
    [Symbol.asyncDispose]: async () => {
      http.closeAllConnections()
      http.close()
      await once(http, 'close')
    },
  }
  http.listen(socketPath)
  await once(http, 'listening')
  return control
}

const answer = (response: ServerResponse, status: number, body: unknown): void => {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}

export const statusOf = (products: readonly ProductStatus[], cursor = 7): Status => ({
  apiVersion: 1,
  agent: {
    version: '0.1.0',
    pid: 4711,
    hostname: 'build-7',
    home: '/home/ada/.local/share/updraft',
    startedAt: '2026-03-01T08:00:00.000Z',
    swarmPort: 6881,
  },
  sources: [
    {
      name: 'main',
      url: 'https://updates.example/',
      root: { version: 3, fingerprint: `sha256:${'ab'.repeat(32)}`, pinnedBy: 'file' },
      expires: { role: 'timestamp', at: '2026-03-10T08:00:00.000Z' },
      lastCheck: { at: '2026-03-03T09:55:00.000Z' },
      nextCheckAt: '2026-03-03T10:55:00.000Z',
    },
  ],
  products,
  cursor,
})

const SIGNERS = [
  { keyId: '1a2b3c4d5e6f'.repeat(5), name: 'Acme Release Engineering' },
  { keyId: 'f0e1d2c3b4a5'.repeat(5) },
]

export const productOf = (name: string, changes: Partial<ProductStatus> = {}): ProductStatus => ({
  name,
  source: 'main',
  channel: 'stable',
  platform: 'linux-x64',
  installed: {
    version: '1.0.0',
    path: `/home/ada/.local/share/updraft/products/${name}/current`,
    installedAt: '2026-03-02T10:00:00.000Z',
    signers: SIGNERS,
    threshold: 2,
  },
  available: { version: '1.1.0', published: '2026-03-03T08:00:00.000Z' },
  decision: [
    { rule: 'newer than installed', passed: true, detail: '1.1.0 is newer than 1.0.0' },
    { rule: 'inside the window', passed: true, detail: 'no window is set' },
  ],
  trust: { level: 'trusted', signers: SIGNERS, threshold: 2, findings: [] },
  seeding: { releases: 1, peers: 0, uploadedBytes: 0 },
  ...changes,
})

export const updateOf = (changes: Partial<Update> = {}): Update => ({
  version: '1.1.0',
  state: 'downloading',
  haveBytes: 42_000_000,
  totalBytes: 100_000_000,
  bytes: { peers: 40_000_000, origin: 1_500_000, reused: 500_000 },
  peers: 3,
  startedAt: '2026-03-03T10:00:00.000Z',
  ...changes,
})
