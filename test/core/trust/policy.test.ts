import { describe, expect, test } from '@jest/globals'
import { Metadata } from '@tufjs/models'
import { LIMITS } from '@updraft/core/limits'
import { keyIdOf } from '@updraft/core/trust/keys'
import { parseMetadata } from '@updraft/core/trust/metadata'
import { assertMetadataPolicy, checkMetadata, type PolicyContext } from '@updraft/core/trust/policy'
import fc from 'fast-check'
import {
  ecdsaKey,
  ed25519Key,
  keysOf,
  type Loose,
  rsaKey,
  type SimulatedKey,
  simulateRepository,
} from '../../support/repository-simulator.ts'
import { addUrgentRole, callUrgent } from '../../support/urgent-role.ts'

const repository = simulateRepository()
addUrgentRole(repository)
callUrgent(repository, '1.0.0')
repository.publish('urgent')
repository.republish('targets', 'snapshot', 'timestamp')
const FILES: Loose = {
  root: '1.root.json',
  targets: '1.targets.json',
  snapshot: '1.snapshot.json',
  timestamp: 'timestamp.json',
  acme: '1.acme.json',
  urgent: '1.urgent.json',
}

/** A valid file of `role`, to be spoilt. */
const fileOf = (role: string): Loose =>
  JSON.parse(String(repository.files.get(`metadata/${FILES[role]}`)), (_, value) => value)

const faultsAfter = (role: string, spoil: (file: Loose) => unknown, context: PolicyContext = {}) => {
  const file = fileOf(role)
  spoil(file)
  return checkMetadata(role, file, context).map(({ place, message }) => `${place} ${message}`)
}

const keyIdsOf = (file: Loose, role: string): string[] => file.signed.roles[role].keyids
const addKey = (file: Loose, key: SimulatedKey) => Object.assign(file.signed.keys, keysOf([key]))
const INDEX = 'acme/1.0.0/linux-x64.index'
const indexOf = (file: Loose): Loose => file.signed.targets[INDEX]
const delegationOf = (file: Loose): Loose => file.signed.delegations.roles[0]
const moveIndex = (path: string) => (file: Loose) => {
  file.signed.targets = { [path]: indexOf(file) }
}
/** JSON with a name that an object literal cannot express. */
const withName = (name: string, value: string) => JSON.parse(`{${JSON.stringify(name)}:${value}}`)

describe('what a sound repository says passes', () => {
  test.each(Object.keys(FILES))('%s', (role) => {
    expect(faultsAfter(role, () => {})).toEqual([])
    expect(faultsAfter(role, () => {}, { received: true })).toEqual([])
    expect(faultsAfter(role, () => {}, { received: true, anyNames: true })).toEqual([])
  })

  test('every kind of key that is accepted', () => {
    const add = (file: Loose) => [ecdsaKey(), rsaKey(3_072), ed25519Key()].map((key) => addKey(file, key))
    expect(faultsAfter('root', add)).toEqual([])
  })

  test('fields that TUF does not know', () => {
    const add = (file: Loose) => Object.assign(file.signed, { 'x-custom': { a: [1, 'b'] } })
    for (const role of Object.keys(FILES)) expect(faultsAfter(role, add)).toEqual([])
  })

  test('objects of the metadata library, in their JSON form', () => {
    const model = Metadata.fromJSON('root' as never, fileOf('root') as never)
    expect(checkMetadata('root', model)).toEqual([])
    model.signed.roles.root?.keyIDs.pop()
    expect(checkMetadata('root', model)).not.toEqual([])
  })
})

type Case = readonly [name: string, role: string, spoil: (file: Loose) => unknown, fault: RegExp]

/** Each of these is refused wherever it comes from, whatever names are allowed. */
const ALWAYS: readonly Case[] = [
  ['an empty file', 'root', (file) => delete file.signed, /^signed /],
  ['another type of file', 'snapshot', (file) => (file.signed._type = 'timestamp'), /_type/],
  ['a newer specification', 'timestamp', (file) => (file.signed.spec_version = '2.0.0'), /not version 1/],
  ['version 0', 'targets', (file) => (file.signed.version = 0), /signed\.version/],
  ['a version that is no integer', 'targets', (file) => (file.signed.version = 1.5), /signed\.version/],
  ['a version that is a string', 'root', (file) => (file.signed.version = '1'), /signed\.version/],
  ['a version beyond exact integers', 'root', (file) => (file.signed.version = 2 ** 53), /signed\.version/],
  ['expiry with milliseconds', 'timestamp', (f) => (f.signed.expires = '2099-01-01T00:00:00.000Z'), /YYYY-MM-DD/],
  ['expiry without a zone', 'timestamp', (f) => (f.signed.expires = '2099-01-01T00:00:00'), /YYYY-MM-DD/],
  ['expiry on February 30th', 'timestamp', (f) => (f.signed.expires = '2099-02-30T00:00:00Z'), /calendar/],
  ['expiry that is a number', 'root', (file) => (file.signed.expires = 4e12), /signed\.expires/],
  ['two signatures of one key', 'root', (file) => file.signatures.push(file.signatures[0]), /same key id/],
  ['signatures that are no list', 'root', (file) => (file.signatures = {}), /^signatures /],
  [
    'more signatures than are checked',
    'root',
    (file) =>
      (file.signatures = Array.from({ length: LIMITS.signaturesMax + 1 }, (_, i) => ({ keyid: `${i}`, sig: '' }))),
    /^signatures /,
  ],
  ['no consistent snapshots', 'root', (file) => (file.signed.consistent_snapshot = false), /consistent_snapshot/],
  ['consistent snapshots unsaid', 'root', (file) => delete file.signed.consistent_snapshot, /consistent_snapshot/],
  ['a missing top-level role', 'root', (file) => delete file.signed.roles.timestamp, /roles\.timestamp/],
  ['an unknown top-level role', 'root', (file) => (file.signed.roles.mirrors = file.signed.roles.root), /"?mirrors"?/],
  ['a role without keys', 'root', (file) => (file.signed.roles.targets.keyids = []), /roles\.targets\.keyids/],
  ['a key id that is no key', 'root', (file) => keyIdsOf(file, 'root').push('a'.repeat(64)), /not among the keys/],
  ['a key id listed twice', 'root', (f) => keyIdsOf(f, 'root').push(keyIdsOf(f, 'root')[0] ?? ''), /key id twice/],
  ['threshold 0', 'root', (file) => (file.signed.roles.root.threshold = 0), /threshold/],
  ['threshold 0.5', 'root', (file) => (file.signed.roles.root.threshold = 0.5), /threshold/],
  ['a threshold that is a string', 'root', (file) => (file.signed.roles.root.threshold = '1'), /threshold/],
  [
    'more keys than are checked',
    'root',
    (file) => (file.signed.roles.root.keyids = Array(LIMITS.roleKeysMax + 1).fill('a'.repeat(64))),
    /keyids/,
  ],
  [
    'a key under an id that is not its hash',
    'root',
    (file) => (file.signed.keys['b'.repeat(64)] = ed25519Key().key),
    /the id of this key is/,
  ],
  [
    'one key under two ids, by a field that nobody reads',
    'root',
    (file) => {
      const key = ed25519Key()
      addKey(file, key)
      const twin = { ...key.key, 'x-note': 'twin' }
      Object.assign(file.signed.keys, { [keyIdOf(twin)]: twin })
    },
    /is the same key as/,
  ],
  [
    'one key under two ids, by another spelling',
    'root',
    (file) => {
      const key = ecdsaKey()
      addKey(file, key)
      const twin = { ...key.key, keyval: { public: key.key.keyval.public.replaceAll('\n', '\r\n') } }
      Object.assign(file.signed.keys, { [keyIdOf(twin)]: twin })
    },
    /is the same key as/,
  ],
  [
    'an RSA key labelled ed25519',
    'root',
    (file) => addKey(file, rsaKey(3_072, { keytype: 'ed25519', scheme: 'ed25519' })),
    /64 lower-case hex/,
  ],
  ['an RSA key with 1,024 bits', 'root', (file) => addKey(file, rsaKey(1_024)), /1024 bits/],
  ['a P-384 key', 'targets', (f) => Object.assign(f.signed.delegations.keys, keysOf([ecdsaKey('P-384')])), /secp384r1/],
  [
    'a private key beside the public one',
    'root',
    (file) => {
      const [key] = Object.values<Loose>(file.signed.keys)
      if (key !== undefined) key.keyval.private = 'secret'
    },
    /keyval/,
  ],
  ['a snapshot without targets', 'snapshot', (f) => delete f.signed.meta['targets.json'], /does not list targets/],
  ['snapshot version 0', 'timestamp', (f) => (f.signed.meta['snapshot.json'].version = 0), /snapshot\.json\.version/],
  ['a timestamp of other files', 'timestamp', (f) => (f.signed.meta['targets.json'] = { version: 1 }), /targets\.json/],
  ['hashes: {} in a snapshot', 'snapshot', (f) => (f.signed.meta['acme.json'].hashes = {}), /no hash at all/],
  ['a length of 0 in a snapshot', 'snapshot', (f) => (f.signed.meta['acme.json'].length = 0), /length/],
  ['hashes: {} of a target', 'acme', (file) => (indexOf(file).hashes = {}), /no hash at all/],
  ['MD5 beside SHA-256', 'acme', (file) => (indexOf(file).hashes.md5 = 'a'.repeat(32)), /md5/],
  ['a SHA-256 in upper case', 'acme', (file) => (indexOf(file).hashes.sha256 = 'A'.repeat(64)), /sha256/],
  ['a SHA-256 cut short', 'acme', (file) => (indexOf(file).hashes.sha256 = 'a'.repeat(63)), /sha256/],
  ['a target without a length', 'acme', (file) => delete indexOf(file).length, /length/],
  ['a target of negative length', 'acme', (file) => (indexOf(file).length = -1), /length/],
  ['a length that is no integer', 'acme', (file) => (indexOf(file).length = 1.5), /length/],
  ['custom that is no object', 'acme', (file) => (indexOf(file).custom = 'x'), /custom/],
  [
    'more targets than are parsed in time',
    'acme',
    (file) => {
      const target = indexOf(file)
      for (let i = 0; i <= LIMITS.targetsMax; i++) file.signed.targets[`acme/1.0.${i}/any.index`] = target
    },
    /more than/,
  ],
  [
    'delegation by hash prefixes',
    'targets',
    (file) => (delegationOf(file).path_hash_prefixes = ['00']),
    /hash prefixes/,
  ],
  ['delegation without paths', 'targets', (file) => delete delegationOf(file).paths, /paths/],
  ['delegation of nothing', 'targets', (file) => (delegationOf(file).paths = []), /paths/],
  [
    'delegation to hash bins',
    'targets',
    (file) => (file.signed.delegations.succinct_roles = { bit_length: 2 }),
    /hash bins/,
  ],
  ['a role delegated to twice', 'targets', (f) => f.signed.delegations.roles.push(delegationOf(f)), /twice/],
  ['a delegated role called root', 'targets', (file) => (delegationOf(file).name = 'root'), /top-level role/],
  ['a delegated role that is a number', 'targets', (file) => (delegationOf(file).name = '1'), /is a number/],
  ['a delegated role constructor', 'targets', (file) => (delegationOf(file).name = 'constructor'), /reserve/],
  ['a delegated role __proto__', 'targets', (file) => (delegationOf(file).name = '__proto__'), /reserve/],
  ['terminating unsaid', 'targets', (file) => delete delegationOf(file).terminating, /terminating/],
  ['braces in a pattern', 'targets', (f) => (delegationOf(f).paths = ['acme/{1..99999}/*']), /literals/],
  ['a class in a pattern', 'targets', (file) => (delegationOf(file).paths = ['acme/[0-9]/*']), /literals/],
  ['negation in a pattern', 'targets', (file) => (delegationOf(file).paths = ['!acme/*/*']), /literals/],
  ['negation of a segment', 'targets', (file) => (delegationOf(file).paths = ['acme/!x/*']), /literals/],
  ['extended globs in a pattern', 'targets', (f) => (delegationOf(f).paths = ['acme/+(a|b)/*']), /literals/],
  ['a comment as a pattern', 'targets', (file) => (delegationOf(file).paths = ['#acme/*/*']), /literals/],
  ['** in a pattern', 'targets', (file) => (delegationOf(file).paths = ['acme/**']), /literals/],
  ['an escape in a pattern', 'targets', (file) => (delegationOf(file).paths = ['acme/\\*/*']), /literals/],
  ['a target path ..', 'acme', moveIndex('../acme/1.0.0/any.index'), /(safe|form)/],
  ['an absolute target path', 'acme', moveIndex('/acme/1.0.0/any.index'), /(safe|form)/],
  ['a target path with an empty part', 'acme', moveIndex('acme//any.index'), /(safe|form)/],
  ['a target path with a backslash', 'acme', moveIndex('acme\\1.0.0\\any.index'), /(safe|form)/],
  ['a target path with a line break', 'acme', moveIndex('acme/1.0.0/any\n.index'), /(safe|form)/],
  [
    'a target __proto__',
    'acme',
    (f) => (f.signed.targets = withName('__proto__', JSON.stringify(indexOf(f)))),
    /reserve/,
  ],
  ['a target constructor', 'acme', moveIndex('constructor'), /reserve/],
  ['__proto__ anywhere', 'acme', (file) => (indexOf(file).custom = withName('__proto__', '{"a":1}')), /reserve/],
  ['a key toString', 'root', (file) => (file.signed.keys.toString = ed25519Key().key), /reserve/],
  ['half of a surrogate pair', 'acme', (file) => (indexOf(file).custom.notes = 'a\ud800'), /surrogate/],
  [
    'nesting that exhausts a stack',
    'acme',
    (file) => (indexOf(file).custom.notes = JSON.parse(`${'['.repeat(5_000)}${']'.repeat(5_000)}`)),
    /nested deeper/,
  ],
]

describe('refuses, from anyone and whatever the names', () => {
  test.each(ALWAYS)('%s', (_, role, spoil, fault) => {
    for (const context of [{}, { received: true }, { received: true, anyNames: true }]) {
      expect(faultsAfter(role, spoil, context).join('\n')).toMatch(fault)
    }
  })
})

/** Refused unless the names of foreign repositories are allowed. */
const GRAMMAR: readonly Case[] = [
  ['a target of another product', 'acme', moveIndex('other/1.0.0/linux-x64.index'), /outside the product acme/],
  ['a target that is no index and no torrent', 'acme', moveIndex('acme/1.0.0/linux-x64.exe'), /not of the form/],
  ['a target whose version is no version', 'acme', moveIndex('acme/latest/linux-x64.index'), /not of the form/],
  ['a target whose platform is none', 'acme', moveIndex('acme/1.0.0/Linux X64.index'), /not of the form/],
  ['a target in a deeper folder', 'acme', moveIndex('acme/1.0.0/x/linux-x64.index'), /not of the form/],
  [
    'a target without SHA-256',
    'acme',
    (file) => (indexOf(file).hashes = { sha512: 'a'.repeat(128) }),
    /has no SHA-256/,
  ],
  ['an index beyond its limit', 'acme', (f) => (indexOf(f).length = LIMITS.indexLengthBytes + 1), /at most/],
  [
    'a metainfo beyond its limit',
    'acme',
    (f) => (f.signed.targets['acme/1.0.0/linux-x64.torrent'].length = LIMITS.metainfoLengthBytes + 1),
    /at most/,
  ],
  [
    'a target that the role targets lists itself',
    'targets',
    (file) => (file.signed.targets = { [INDEX]: { length: 1, hashes: { sha256: 'a'.repeat(64) } } }),
    /instead of the role of a product/,
  ],
  [
    'a product that delegates further',
    'acme',
    (file) => (file.signed.delegations = fileOf('targets').signed.delegations),
    /delegates further/,
  ],
  [
    'a target of the role urgent',
    'urgent',
    (file) => (file.signed.targets = { [INDEX]: fileOf('acme').signed.targets[INDEX] }),
    /outside the product urgent/,
  ],
  [
    'a list of urgent releases of a later schema',
    'urgent',
    (f) => (f.signed.urgent.schema = 2),
    /signed\.urgent schema/,
  ],
  [
    'a list of urgent releases without digests',
    'urgent',
    (file) => (file.signed.urgent.releases = [{ product: 'acme', version: '1.0.0', platform: 'any' }]),
    /releases\.0\.index/,
  ],
  [
    'too many urgent releases',
    'urgent',
    (file) => (file.signed.urgent.releases = Array(1_025).fill(file.signed.urgent.releases[0])),
    /urgent releases/,
  ],
  ['a role that is no product', 'targets', (file) => (delegationOf(file).name = 'Acme Inc'), /name of a product/],
  ['paths of another product', 'targets', (file) => (delegationOf(file).paths = ['other/*/*']), /form acme/],
  ['paths of every product', 'targets', (file) => (delegationOf(file).paths = ['*/*/*']), /form acme/],
  ['paths of another depth', 'targets', (file) => (delegationOf(file).paths = ['acme/*']), /form acme/],
  ['a question mark in a pattern', 'targets', (file) => (delegationOf(file).paths = ['acme/?/*']), /form acme/],
  ['half a wildcard', 'targets', (file) => (delegationOf(file).paths = ['acme/1.*/*']), /form acme/],
  ['a search that goes on', 'targets', (file) => (delegationOf(file).terminating = false), /not terminating/],
  [
    'a snapshot of a role that is no product',
    'snapshot',
    (f) => (f.signed.meta['A.json'] = f.signed.meta['acme.json']),
    /product/,
  ],
  ['a snapshot of root', 'snapshot', (f) => (f.signed.meta['root.json'] = f.signed.meta['acme.json']), /product/],
]

describe('refuses, unless foreign names are allowed', () => {
  test.each(GRAMMAR)('%s', (_, role, spoil, fault) => {
    expect(faultsAfter(role, spoil).join('\n')).toMatch(fault)
    expect(faultsAfter(role, spoil, { received: true }).join('\n')).toMatch(fault)
    expect(faultsAfter(role, spoil, { received: true, anyNames: true })).toEqual([])
  })
})

/** Refused before it is signed; what arrives may have it, because it cannot let anything in. */
const OWN: readonly Case[] = [
  ['a threshold that no keys can reach', 'root', (f) => (f.signed.roles.snapshot.threshold = 2), /only 1 keys/],
  ['a snapshot entry without a length', 'snapshot', (f) => delete f.signed.meta['acme.json'].length, /no length/],
  ['a snapshot entry without hashes', 'snapshot', (f) => delete f.signed.meta['acme.json'].hashes, /no SHA-256/],
  ['a timestamp without hashes', 'timestamp', (f) => delete f.signed.meta['snapshot.json'].hashes, /no SHA-256/],
]

describe('refuses to sign', () => {
  test.each(OWN)('%s', (_, role, spoil, fault) => {
    expect(faultsAfter(role, spoil).join('\n')).toMatch(fault)
    expect(faultsAfter(role, spoil, { received: true })).toEqual([])
  })
})

test('literal versions are a narrower delegation, and allowed', () => {
  expect(faultsAfter('targets', (file) => (delegationOf(file).paths = ['acme/1.0.0/*', 'acme/*/linux-x64']))).toEqual(
    [],
  )
})

test.each([null, 1, 'x', [], {}, undefined])('refuses a file that is %j', (file) => {
  for (const role of Object.keys(FILES)) expect(checkMetadata(role, file)).not.toEqual([])
})

test('the error lists what is wrong, where, and in which file', () => {
  const file = fileOf('root')
  file.signed.version = 0
  file.signed.roles.root.threshold = -1
  expect(() => assertMetadataPolicy('root', file, {}, '7.root.json')).toThrow(
    expect.objectContaining({
      code: 'METADATA_POLICY',
      message: expect.stringMatching(
        /^7\.root\.json breaks 2 rules: .*signed\.version.*signed\.roles\.root\.threshold/,
      ),
    }),
  )
  expect(() => assertMetadataPolicy('root', fileOf('root'))).not.toThrow()
})

test('many faults are counted, not all printed', () => {
  const file = fileOf('acme')
  for (let i = 0; i < 500; i++) file.signed.targets[`x${i}`] = indexOf(file)
  expect(() => assertMetadataPolicy('acme', file)).toThrow(/breaks 500 rules: .*; and 492 more$/)
})

describe('parsing', () => {
  test.each([
    ['no JSON', Buffer.from('<html>')],
    ['malformed UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['nothing', Buffer.alloc(0)],
  ])('refuses %s', (_, bytes) => {
    expect(() => parseMetadata(bytes, 'timestamp.json')).toThrow(
      expect.objectContaining({ code: 'METADATA_UNTRUSTED', message: expect.stringContaining('timestamp.json') }),
    )
  })
})

describe('whatever arrives', () => {
  test('is judged, never a crash', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(FILES)), fc.jsonValue(), (role, file) => {
        expect(checkMetadata(role, file)).not.toEqual([])
      }),
    )
  })

  test('in any place of a sound file is judged, never a crash', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(FILES)), fc.nat(), fc.jsonValue(), (role, place, value) => {
        const file = fileOf(role)
        const places = placesIn(file)
        const [holder, name] = places[place % places.length] ?? [file, 'signed']
        holder[name] = value
        for (const context of [{}, { received: true, anyNames: true }]) {
          expect(Array.isArray(checkMetadata(role, file, context))).toBe(true)
        }
      }),
      { numRuns: 500 },
    )
  })
})

/** Every property in the JSON value: its holder and its name. */
const placesIn = (value: Loose): (readonly [Loose, string])[] =>
  Object.entries(value).flatMap(([name, inner]) => [
    [value, name] as const,
    ...(typeof inner === 'object' && inner !== null ? placesIn(inner) : []),
  ])
