// A TUF repository in memory that a test can bend: real keys, real signatures, and every file open to alteration. It is
// served through the seam that production uses, `fetch`, or over HTTP for tests with processes.
import { constants, createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { parseProduct } from '@updraft/core/names'
import { canonicalBytes } from '@updraft/core/trust/canonical'
import { keyIdOf } from '@updraft/core/trust/keys'
import type { TufKey } from '@updraft/core/trust/metadata'
import { type Ask, replyOf } from '../../agent/src/ask.ts'

/** JSON that a test may break in any way. */
// biome-ignore lint/suspicious/noExplicitAny: the point of these objects is that nothing about them is certain.
export type Loose = Record<string, any>

export interface SimulatedKey {
  readonly keyId: string
  readonly key: TufKey
  /** Signature over `bytes`, in hex. */
  sign(bytes: Uint8Array): string
}

const ED25519 = { keytype: 'ed25519', scheme: 'ed25519' }
const ECDSA = { keytype: 'ecdsa', scheme: 'ecdsa-sha2-nistp256' }
const RSA = { keytype: 'rsa', scheme: 'rsassa-pss-sha256' }

const pemOf = (key: KeyObject): string => key.export({ format: 'pem', type: 'spki' }).toString()

const simulatedKey = (labels: Loose, value: string, signBytes: (bytes: Uint8Array) => Buffer): SimulatedKey => {
  const key = { ...labels, keyval: { public: value } } as TufKey & Loose
  return { keyId: keyIdOf(key), key, sign: (bytes) => signBytes(bytes).toString('hex') }
}

export const ed25519Key = (): SimulatedKey => {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  const hex = Buffer.from(publicKey.export({ format: 'jwk' }).x ?? '', 'base64url').toString('hex')
  return simulatedKey(ED25519, hex, (bytes) => sign(null, bytes, privateKey))
}

export const ecdsaKey = (namedCurve = 'P-256'): SimulatedKey => {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve })
  return simulatedKey(ECDSA, pemOf(publicKey), (bytes) => sign('sha256', bytes, privateKey))
}

export const rsaKey = (bits: number, labels: Loose = RSA, exponent = 65_537): SimulatedKey => {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: bits, publicExponent: exponent })
  const padding = constants.RSA_PKCS1_PSS_PADDING
  return simulatedKey(labels, pemOf(publicKey), (bytes) =>
    labels.keytype === 'rsa'
      ? sign('sha256', bytes, { key: privateKey, padding, saltLength: 32 })
      : sign(null, bytes, privateKey),
  )
}

/** Answers instead of the repository; undefined leaves the answer to it. `path` is below the base URL. */
export type Interceptor = (path: string, signal: AbortSignal | undefined) => Response | Promise<Response> | undefined

export interface RepositorySimulator {
  /** Signed parts by role, to be altered before `publish`. */
  readonly signed: Record<string, Loose>
  /** Who signs which role at the next `publish`. Not necessarily who may. */
  readonly signers: Record<string, SimulatedKey[]>
  /** What is served, by path below the base URL. */
  readonly files: Map<string, Buffer>
  /** Paths that were asked for, in order. */
  readonly requests: string[]
  intercept: Interceptor
  /** Signs these roles and serves them, each under its next version; snapshot and timestamp take up what came before. */
  publish(...roles: string[]): void
  /** The same without a new version. */
  republish(...roles: string[]): void
  /** Gives the role new keys and takes the old ones away. Takes effect when root (or targets, for products) is published. */
  rotate(role: string, keys?: readonly SimulatedKey[]): void
  addProduct(product: string, keys?: readonly SimulatedKey[]): void
  /** Lists a release and serves its two targets. */
  addRelease(product: string, version: string, change?: (custom: Loose) => void): void
  /** The exact bytes of a root that was published. */
  rootBytes(version?: number): Buffer
  /** An answer of this repository as it is now. */
  answer(path: string, signal?: AbortSignal): Promise<Response>
  /** A repository with the same keys and contents that goes its own way from here. */
  fork(): RepositorySimulator
}

export interface SimulatorOptions {
  readonly expires?: string
  readonly products?: readonly string[]
}

export const EVERYTHING = ['root', 'targets', 'snapshot', 'timestamp'] as const
export const FAR_FUTURE = '2099-01-01T00:00:00Z'

/** A repository with its four roles at version 1 and, unless told otherwise, the product `acme` with one release. */
export const simulateRepository = ({
  expires = FAR_FUTURE,
  products = ['acme'],
}: SimulatorOptions = {}): RepositorySimulator => {
  const header = (type: string) => ({ _type: type, spec_version: '1.0.34', version: 0, expires })
  const signers: Record<string, SimulatedKey[]> = {}
  for (const role of EVERYTHING) signers[role] = [ed25519Key()]
  const roles = Object.fromEntries(EVERYTHING.map((role) => [role, roleOf(signers[role] ?? [])]))
  const repository = simulatorOver({
    signed: {
      root: { ...header('root'), consistent_snapshot: true, keys: keysOf(Object.values(signers).flat()), roles },
      targets: { ...header('targets'), targets: {}, delegations: { keys: {}, roles: [] } },
      snapshot: { ...header('snapshot'), meta: {} },
      timestamp: { ...header('timestamp'), meta: {} },
    },
    signers,
    files: new Map(),
  })
  for (const product of products) {
    repository.addProduct(product)
    repository.addRelease(product, '1.0.0')
  }
  repository.publish(...products, ...EVERYTHING)
  return repository
}

type State = Pick<RepositorySimulator, 'signed' | 'signers' | 'files'>

const simulatorOver = ({ signed, signers, files }: State): RepositorySimulator => {
  const part = (role: string): Loose => {
    const content = signed[role]
    if (content === undefined) throw new Error(`the simulator has no role ${role}`)
    return content
  }
  const write = (role: string): void => {
    const content = part(role)
    const bytes = fileOf(content, signers[role] ?? [])
    files.set(`metadata/${role === 'timestamp' ? '' : `${content.version}.`}${role}.json`, bytes)
    const listed = { version: content.version, length: bytes.length, hashes: { sha256: sha256(bytes) } }
    if (role === 'snapshot') part('timestamp').meta['snapshot.json'] = listed
    else if (role !== 'root' && role !== 'timestamp') part('snapshot').meta[`${role}.json`] = listed
  }

  const repository: RepositorySimulator = {
    signed,
    signers,
    files,
    requests: [],
    intercept: () => undefined,
    publish: (...roles) => {
      for (const role of roles) {
        part(role).version += 1
        write(role)
      }
    },
    republish: (...roles) => {
      for (const role of roles) write(role)
    },
    rotate: (role, keys = [ed25519Key()]) => {
      const topLevel = (EVERYTHING as readonly string[]).includes(role)
      const delegator = topLevel ? part('root') : part('targets').delegations
      const holder = topLevel ? delegator.roles[role] : delegator.roles.find((one: Loose) => one.name === role)
      Object.assign(holder, roleOf(keys))
      Object.assign(delegator.keys, keysOf(keys))
      signers[role] = [...keys]
    },
    addProduct: (product, keys = [ed25519Key()]) => {
      const { delegations } = part('targets')
      Object.assign(delegations.keys, keysOf(keys))
      delegations.roles.push({ name: product, ...roleOf(keys), terminating: true, paths: [`${product}/*/*`] })
      signers[product] = [...keys]
      signed[product] = { ...part('snapshot'), _type: 'targets', version: 0, meta: undefined, targets: {} }
    },
    addRelease: (product, version, change = () => {}) => {
      const index = Buffer.from(`index of ${product} ${version}`)
      const metainfo = Buffer.from(`metainfo of ${product} ${version}`)
      const path = `${product}/${version}/linux-x64`
      const custom = releasePayload(product, version, index.length)
      change(custom)
      part(product).targets[`${path}.index`] = { ...targetOf(index), custom }
      part(product).targets[`${path}.torrent`] = targetOf(metainfo)
      files.set(`targets/${product}/${version}/${sha256(index)}.linux-x64.index`, index)
      files.set(`targets/${product}/${version}/${sha256(metainfo)}.linux-x64.torrent`, metainfo)
    },
    rootBytes: (version = part('root').version) => {
      const bytes = files.get(`metadata/${version}.root.json`)
      if (bytes === undefined) throw new Error(`root ${version} was not published`)
      return bytes
    },
    answer: async (path, signal) => {
      repository.requests.push(path)
      const other = await repository.intercept(path, signal)
      if (other !== undefined) return other
      const bytes = files.get(path)
      return bytes === undefined ? new Response('not found', { status: 404 }) : new Response(new Uint8Array(bytes))
    },
    fork: () =>
      simulatorOver({
        signed: structuredClone(signed),
        signers: Object.fromEntries(Object.entries(signers).map(([role, keys]) => [role, [...keys]])),
        files: new Map(files),
      }),
  }
  return repository
}

/** Signs `content` with each of `keys`, whoever they belong to. */
export const fileOf = (content: Loose, keys: readonly SimulatedKey[]): Buffer => {
  const signed = JSON.parse(JSON.stringify(content))
  const bytes = canonicalBytes(signed)
  const signatures = keys.map((key) => ({ keyid: key.keyId, sig: key.sign(bytes) }))
  return Buffer.from(JSON.stringify({ signatures, signed }, undefined, 1))
}

export const keysOf = (keys: readonly SimulatedKey[]): Record<string, TufKey> =>
  Object.fromEntries(keys.map(({ keyId, key }) => [keyId, key]))

export const roleOf = (keys: readonly SimulatedKey[], threshold = keys.length) => ({
  keyids: keys.map(({ keyId }) => keyId),
  threshold,
})

export const targetOf = (bytes: Buffer): Loose => ({ length: bytes.length, hashes: { sha256: sha256(bytes) } })

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

const releasePayload = (product: string, version: string, indexBytes: number): Loose => ({
  schema: 1,
  product: parseProduct(product),
  version,
  platform: 'linux-x64',
  channels: ['stable'],
  published: '2026-01-01T00:00:00Z',
  torrent: {
    btih: 'a'.repeat(40),
    pieceLength: 16_384,
    metainfo: `${product}/${version}/linux-x64.torrent`,
    trackers: [],
    webSeeds: ['bundles/'],
  },
  sizes: { files: 1, installedBytes: 1, indexBytes, packBytes: 1 },
})

/** The seam of production over simulators, by base URL. An address that none of them has is not reachable. */
export const askFrom =
  (repositories: Readonly<Record<string, RepositorySimulator>>): Ask =>
  async (url, signal) => {
    signal.throwIfAborted()
    const base = Object.keys(repositories).find((prefix) => url.startsWith(prefix))
    const repository = base === undefined ? undefined : repositories[base]
    if (base === undefined || repository === undefined) throw new TypeError(`nothing listens at ${url}`)
    const response = await repository.answer(url.slice(base.length), signal)
    signal.throwIfAborted()
    return {
      status: response.status,
      location: response.headers.get('location') ?? undefined,
      body: response.body ?? replyOf(response.status).body,
      [Symbol.dispose]: () => {
        if (response.body?.locked === false) response.body.cancel().catch(() => {}) // It may have failed already.
      },
    }
  }

/** Bytes without an end, as fast as they are read. `onCancel` is called when the reader has had enough. */
export const endlessResponse = (onCancel: () => void = () => {}): Response =>
  new Response(
    new ReadableStream({
      pull: (controller) => controller.enqueue(new Uint8Array(64 * 1024).fill(0x20)),
      cancel: onCancel,
    }),
  )

/** An answer that begins and never goes on, until the reader gives up. */
export const stalledResponse = (signal: AbortSignal | undefined): Response =>
  new Response(
    new ReadableStream({
      start: (controller) => {
        controller.enqueue(new Uint8Array([0x7b]))
        signal?.addEventListener('abort', () => controller.error(signal.reason), { once: true })
      },
    }),
  )

export interface ServedRepository extends AsyncDisposable {
  /** Base URL, ends with a slash. */
  readonly url: string
}

/** The repository over HTTP on loopback, for processes of their own. */
export const serveRepository = async (repository: RepositorySimulator): Promise<ServedRepository> => {
  const server: Server = createServer((request, response) => {
    const path = (request.url ?? '/').slice(1)
    repository.answer(path).then(
      async (answer) => {
        response.writeHead(answer.status, Object.fromEntries(answer.headers))
        response.end(Buffer.from(await answer.arrayBuffer()))
      },
      (error: unknown) => response.destroy(error as Error),
    )
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}/`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
