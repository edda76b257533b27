// Sources that are wrong in every way that an agent can find out, each for a product of its own: real metadata and real bundles
// over HTTP, bent as an attacker or an accident would bend them. What is done to them in two steps is done by `turn`.
import { randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { FindingCode } from '@updraft/core/trust/finding'
import { parseSourceUrl, pinRoot } from '../../agent/src/trust-store.ts'
import { forgeRelease, type HostileOrigin, type ReleaseToForge, serveHostile } from '../attack/hostile-origin.ts'
import {
  authority,
  type CertifiedKey,
  certify,
  identityOf,
  publicKeyIn,
  revocationList,
} from '../support/certificates.ts'
import {
  EVERYTHING,
  ed25519Key,
  type Loose,
  type RepositorySimulator,
  rsaKey,
  type SimulatedKey,
  simulateRepository,
} from '../support/repository-simulator.ts'
import { makeSmallBuild } from '../support/small-build.ts'

/** By product: what is found. Beside these, the story of the real product makes the others. */
export const WRONG_IN = {
  forged: 'bundle-tampered',
  garbled: 'release-invalid',
  poisoned: 'swarm-stalled',
  stranger: 'identity-unknown',
  lapsed: 'identity-expired',
  waning: 'identity-expiring',
  stolen: 'identity-revoked',
  weak: 'metadata-policy',
  fading: 'metadata-expiring',
  silent: 'source-unreachable',
  'taken-over': 'identity-changed',
  sick: 'release-unhealthy',
  displaced: 'not-in-use',
} as const satisfies Readonly<Record<string, FindingCode>>

/** They are well at first, and are installed. */
export const WELL_AT_FIRST = ['taken-over', 'sick', 'displaced'] as const

export interface HostileWorld extends AsyncDisposable {
  /** What a peer has to know to poison the product of that name. */
  readonly poisonedMetainfo: Buffer
  /** Subscribes the agent in `home` to everything, and pins the roots. `peers` are known to it in advance. */
  readonly subscribe: (peers: readonly string[]) => Promise<void>
  /** Now the publisher has changed hands, a release does not work, and somebody else's file is in the way. */
  readonly turn: () => Promise<void>
}

const SOON_MS = 3 * 60 * 60 * 1_000
const ca = authority('Acme CA')

export const openHostileWorld = async (folder: string, home: string): Promise<HostileWorld> => {
  const open = new AsyncDisposableStack()
  const serve = async (repository: RepositorySimulator): Promise<HostileOrigin> =>
    open.use(await serveHostile(repository.files))
  const keys = {
    ...Object.fromEntries(Object.keys(WRONG_IN).map((product): [string, SimulatedKey] => [product, ed25519Key()])),
    weak: rsaKey(1_024),
  } as Readonly<Record<keyof typeof WRONG_IN, SimulatedKey>>
  const publish = (repository: RepositorySimulator, products: readonly string[]): void =>
    repository.publish(...products, ...EVERYTHING.slice(1))
  const repositoryOf = (products: readonly (keyof typeof WRONG_IN)[], expires?: string): RepositorySimulator => {
    const repository = simulateRepository({ products: [], ...(expires === undefined ? {} : { expires }) })
    for (const product of products) repository.addProduct(product, [keys[product]])
    return repository
  }
  const forge = async (repository: RepositorySimulator, product: string, more: Partial<ReleaseToForge> = {}) => {
    const version = more.version ?? '1.0.0'
    const build = await makeSmallBuild(join(folder, `${product}-${version}`))
    // Nobody has it from another product: what is not fetched is not poisoned.
    if (product === 'poisoned') await writeFile(join(build, 'poisoned'), randomBytes(150_000))
    if (product === 'sick' && version === '1.1.0') await writeFile(join(build, 'bin/acme'), SICK)
    return await forgeRelease(repository, { product, build, scratch: join(folder, 'scratch'), ...more })
  }

  const away = ['weak', 'fading', 'silent'] as const
  const here = (Object.keys(WRONG_IN) as (keyof typeof WRONG_IN)[]).filter((name) => !away.some((one) => one === name))
  const bazaar = repositoryOf(here)
  const [weak, fading, silent] = [
    repositoryOf(['weak']),
    repositoryOf(['fading'], new Date(Date.now() + SOON_MS).toISOString().replace(/\.\d+Z$/, 'Z')),
    repositoryOf(['silent']),
  ]
  let poisonedMetainfo: Buffer = Buffer.alloc(0)
  for (const product of here) {
    const { metainfo } = await forge(bazaar, product, {
      ...(product === 'forged' ? { bend: lie } : {}),
      ...(product === 'poisoned' ? { webSeeds: [] } : {}),
    })
    if (product === 'poisoned') poisonedMetainfo = bazaar.files.get(metainfo) ?? poisonedMetainfo
  }
  await forge(weak, 'weak')
  await forge(fading, 'fading')
  await forge(silent, 'silent')
  for (const target of Object.values(bazaar.signed.garbled?.targets ?? {}) as Loose[]) {
    if (target.custom !== undefined) target.custom.published = 'yesterday'
  }
  const certificate = (product: keyof typeof WRONG_IN, name: string, to?: string): CertifiedKey =>
    certify(name, {
      publicKey: publicKeyIn(keys[product]),
      issuer: ca,
      serial: SERIALS[product] ?? 9,
      ...(to === undefined ? {} : { to }),
    })
  const vouch = (product: keyof typeof WRONG_IN, key: SimulatedKey, identity: unknown): void => {
    const role = bazaar.signed.targets?.delegations.roles.find(({ name }: Loose) => name === product)
    Object.assign(role, { identity })
    keysNow.set(product, key)
  }
  const keysNow = new Map<string, SimulatedKey>()
  vouch('lapsed', keys.lapsed, identityOf(keys.lapsed, [certificate('lapsed', 'Acme Nightly', '2021-01-01T00:00:00Z')]))
  vouch('waning', keys.waning, identityOf(keys.waning, [certificate('waning', 'Acme Seasonal', inThreeDays())]))
  vouch(
    'stolen',
    keys.stolen,
    identityOf(keys.stolen, [certificate('stolen', 'Acme Laptop')], [revocationList(ca, [SERIALS.stolen])]),
  )
  vouch('taken-over', keys['taken-over'], identityOf(keys['taken-over'], [certificate('taken-over', 'Acme Releases')]))

  publish(bazaar, here)
  publish(weak, ['weak'])
  publish(fading, ['fading'])
  publish(silent, ['silent'])
  const origins = { bazaar: await serve(bazaar), weak: await serve(weak), fading: await serve(fading) }
  const gone = await serveHostile(silent.files)
  await gone[Symbol.asyncDispose]()
  const sources = [
    { name: 'bazaar', url: origins.bazaar.url, repository: bazaar },
    { name: 'weak', url: origins.weak.url, repository: weak },
    { name: 'fading', url: origins.fading.url, repository: fading },
    { name: 'silent', url: gone.url, repository: silent },
  ]
  const authorities = [join(folder, 'ca.pem')]
  const inTheWay = join(folder, 'acme')

  let peers: readonly string[] = []
  const settle = async (displaced: object): Promise<void> => {
    const demanding = ['stranger', 'lapsed', 'waning', 'stolen', 'taken-over']
    const products = Object.keys(WRONG_IN).map((name): [string, object] => [
      name,
      {
        source: away.some((one) => one === name) ? name : 'bazaar',
        platform: 'linux-x64',
        ...(demanding.includes(name) ? { authorities } : {}),
        ...(name === 'sick' ? { probe: { command: ['bin/acme'], attempts: 1 } } : {}),
        ...(name === 'displaced' ? displaced : {}),
      },
    ])
    const network = { allowLoopback: true, stallTimeoutSeconds: 2, peers }
    const settings = { checkIntervalSeconds: 10, network, products: Object.fromEntries(products) }
    await writeFile(join(home, 'agent.json'), JSON.stringify(settings))
  }
  return {
    poisonedMetainfo,
    subscribe: async (known) => {
      peers = known
      await mkdir(home, { recursive: true })
      await writeFile(join(folder, 'ca.pem'), ca.certificate.toString())
      for (const { name, url, repository } of sources) {
        await pinRoot(join(home, 'state'), {
          name,
          url: parseSourceUrl(url),
          rootBytes: repository.rootBytes(1),
          pinnedBy: 'file',
          addedAt: new Date(),
        })
      }
      await settle({})
    },
    turn: async () => {
      const other = ed25519Key()
      bazaar.rotate('taken-over', [other])
      const mallory = certify('Mallory', { publicKey: publicKeyIn(other), issuer: ca, serial: 12 })
      await forge(bazaar, 'taken-over', { version: '1.1.0' })
      vouch('taken-over', other, identityOf(other, [mallory]))
      await forge(bazaar, 'sick', { version: '1.1.0' })
      publish(bazaar, ['taken-over', 'sick'])
      await writeFile(inTheWay, 'somebody else’s\n')
      await settle({ install: { kind: 'file', path: inTheWay, from: 'bin/acme' } })
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}

const SERIALS: Readonly<Partial<Record<keyof typeof WRONG_IN, number>>> & { readonly stolen: number } = {
  lapsed: 10,
  stolen: 11,
}

const inThreeDays = (): string => new Date(Date.now() + 3 * 24 * 60 * 60 * 1_000).toISOString()

const SICK = '#!/bin/sh\necho "the database is of a newer version" >&2\nexit 1\n'

/** The index with one byte of a digest changed. */
const lie: NonNullable<ReleaseToForge['bend']> = (bundle) => {
  const { digests } = bundle.index.frames
  digests[0] = (digests[0] ?? 0) ^ 1
  return bundle
}
