// What publishers sign, and anybody may send: TUF metadata under our policy, and the description of a release.
import assert from 'node:assert/strict'
import { MetadataKind, Metadata as TufMetadata } from '@tufjs/models'
import { isUpdateError } from '@updraft/core/errors'
import { parseRelease, resolveHints } from '@updraft/core/release'
import { publicKeyOf, verifySignature } from '@updraft/core/trust/keys'
import {
  type Delegations,
  type Metadata,
  parseMetadata,
  type SignedCommon,
  type TufKeys,
} from '@updraft/core/trust/metadata'
import { checkMetadata } from '@updraft/core/trust/policy'
import { parseUrgent } from '@updraft/core/trust/urgent'
import { ecdsaKey, rsaKey, simulateRepository } from '../../support/repository-simulator.ts'
import { choosing, chosen, JSON_WORDS, plainTarget, type Target, unlessRefused } from '../target.ts'

const ROLES = ['root', 'timestamp', 'snapshot', 'targets', 'acme'] as const

const KINDS: Readonly<Record<(typeof ROLES)[number], MetadataKind>> = {
  root: MetadataKind.Root,
  timestamp: MetadataKind.Timestamp,
  snapshot: MetadataKind.Snapshot,
  targets: MetadataKind.Targets,
  acme: MetadataKind.Targets,
}

export const metadata: Target = {
  what: 'TUF metadata of every role, from a server: JSON, our policy, keys and signatures',
  words: [
    '"keyid"',
    '"keyids"',
    '"threshold"',
    '"signatures"',
    '"delegations"',
    '"custom"',
    '"hashes"',
    '"sha256"',
    '"__proto__"',
    '"constructor"',
    '"path_hash_prefixes"',
    '"succinct_roles"',
    ...JSON_WORDS,
    '2099-02-30T00:00:00Z',
    '"rsa"',
    '"ecdsa"',
    '"ed25519"',
    'acme/*/*',
    '../',
    '**',
  ],
  open: async () => {
    const repository = simulateRepository()
    repository.addProduct('other', [ecdsaKey(), rsaKey(3_072)])
    repository.addRelease('other', '1.0.0')
    repository.publish('other', 'root', 'targets', 'snapshot', 'timestamp')
    const newest = (role: string): Buffer => {
      const names = [...repository.files.keys()].filter((name) => name.endsWith(`${role}.json`)).sort()
      return repository.files.get(names.at(-1) ?? '') ?? Buffer.alloc(0)
    }
    return {
      seeds: ROLES.flatMap((role, number) => [choosing(number, newest(role)), choosing(number + 5, newest(role))]),
      attempt: (input) => {
        const { choice, rest } = chosen(input)
        const role = ROLES[choice % ROLES.length] ?? 'root'
        const json = parsed(rest)
        if (json === undefined) return
        const context = { received: choice % 10 >= 5, anyNames: choice % 20 >= 10 }
        if (checkMetadata(role, json, context).length > 0) return
        const { signed, signatures } = json as Metadata<SignedCommon & { keys?: TufKeys; delegations?: Delegations }>
        const keys =
          role === 'root' ? signed.keys : KINDS[role] === MetadataKind.Targets ? signed.delegations?.keys : {}
        for (const key of Object.values(keys ?? {})) {
          publicKeyOf(key)
          for (const { sig } of signatures.slice(0, 2)) verifySignature(key, rest, sig)
        }
        // What passes our policy, the TUF library takes as well: it means the same to both.
        const model: { readonly signed: { readonly version: number } } = modelOf(KINDS[role], json)
        assert.equal(model.signed.version, signed.version)
        assert.equal(Object.getPrototypeOf({}), Object.prototype)
      },
      [Symbol.asyncDispose]: async () => {},
    }
  },
}

const modelOf = TufMetadata.fromJSON as (kind: MetadataKind, json: unknown) => ReturnType<typeof TufMetadata.fromJSON>

const parsed = (bytes: Uint8Array): unknown => {
  try {
    return parseMetadata(bytes, 'input')
  } catch (error) {
    if (isUpdateError(error) && error.code === 'METADATA_UNTRUSTED') return undefined
    throw error
  }
}

const RELEASE = {
  schema: 1,
  product: 'acme',
  version: '1.0.0',
  platform: 'any',
  channels: ['stable'],
  published: '2026-01-01T00:00:00Z',
  notes: 'words',
  minimumAgentVersion: '0.1.0',
  minimumPreviousVersion: '0.9.0',
  urgent: true,
  rollout: [
    { at: '2026-01-01T00:00:00Z', cohorts: 100 },
    { at: '2026-01-02T00:00:00Z', cohorts: 10_000 },
  ],
  yanked: { at: '2026-01-01T00:00:00Z', reason: 'bad', goTo: '0.9.0' },
  torrent: {
    btih: 'a'.repeat(40),
    pieceLength: 16_384,
    metainfo: 'acme/1.0.0/any.torrent',
    trackers: ['http://t/'],
    webSeeds: ['bundles/'],
  },
  sizes: { files: 1, installedBytes: 1, indexBytes: 1, packBytes: 1 },
}

export const release = plainTarget({
  what: 'the signed description of a release, in the custom field of its target',
  seeds: () =>
    [RELEASE, { ...RELEASE, yanked: undefined, rollout: undefined }].map((one) => Buffer.from(JSON.stringify(one))),
  words: [...Object.keys(RELEASE).map((name) => `"${name}":`), ...JSON_WORDS, '../', 'file:///', 'http://127.0.0.1/'],
  attempt: (input) => {
    let json: unknown
    try {
      json = JSON.parse(Buffer.from(input).toString('utf8'))
    } catch {
      return
    }
    try {
      const { torrent } = parseRelease(json, 'acme/1.0.0/any.index')
      for (const url of resolveHints([...torrent.trackers, ...torrent.webSeeds], 'http://r.example/')) new URL(url)
    } catch (error) {
      if (!isUpdateError(error) || error.code !== 'RELEASE_INVALID') throw error
    }
  },
})

const URGENT = {
  schema: 1,
  releases: ['1.0.0', '1.1.0'].map((version) => ({
    product: 'acme',
    version,
    platform: 'any',
    index: 'a'.repeat(64),
  })),
}

export const urgent = plainTarget({
  what: 'the list of urgent releases, in the metadata of the role urgent',
  seeds: () => [URGENT, { schema: 1, releases: [] }].map((one) => Buffer.from(JSON.stringify(one))),
  words: ['"schema":', '"releases":', '"product":', '"version":', '"platform":', '"index":', ...JSON_WORDS],
  attempt: (input) => {
    const json = parsed(input)
    const list = json === undefined ? undefined : unlessRefused(['METADATA_POLICY'], () => parseUrgent(json))
    for (const { index } of list?.releases ?? []) assert.match(index, /^[0-9a-f]{64}$/)
  },
})
