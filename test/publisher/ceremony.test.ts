// Signing ceremonies through the real program: three people with keys of three kinds, on machines without the repository, of whom
// two have to agree; and every way in which the file between them may be bent.
import { cp, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { hasCode } from '@updraft/core/errors'
import { canonicalBytes } from '@updraft/core/trust/canonical'
import { type Ceremony, draftOf, readCeremony } from '../../publisher/src/ceremony/ceremony-file.ts'
import {
  type Added,
  addSignatures,
  finishCeremony,
  prepareCeremony,
  reviewCeremonyFile,
} from '../../publisher/src/ceremony.ts'
import { createKeyFile, fileKeys } from '../../publisher/src/keys/key-file.ts'
import { listKeys } from '../../publisher/src/keys/key-folder.ts'
import { openRepository } from '../../publisher/src/repository.ts'
import { rotation } from '../../publisher/src/rotate.ts'
import { keyChange } from '../../publisher/src/sign/role-keys.ts'
import { publisherJson, runPublisher } from './program.ts'
import { fingerprintTree, init, openWorkspace, type Workspace, writeTree } from './workspace.ts'

let workspace: Workspace
let directory: string
let fingerprint: string
const people = { alice: 'ed25519', bob: 'ecdsa-p256', carol: 'rsa-3072' } as const
type Person = keyof typeof people

/** A repository whose root and targets are signed by two of three people, each with keys on a machine of their own. */
beforeAll(async () => {
  workspace = await openWorkspace()
  directory = workspace.directory
  const now = new Date()
  ;({ fingerprint } = await init(workspace, {}, undefined, now))
  const { repository, keys, keysDirectory } = workspace
  const three = await Promise.all(
    Object.entries(people).map(async ([name, type]) => {
      const key = await createKeyFile(inDirectory(`${name}-pc`), name, undefined, type)
      await cp(key.path.replace(/pem$/, 'pub'), inDirectory(`${name}.pub`))
      return key
    }),
  )
  for (const role of ['root', 'targets']) {
    const file = inDirectory(`${role}.json`)
    const edit = { role, add: three, remove: 'all', threshold: 2 } as const
    await prepareCeremony(repository, (it) => keyChange(it, rotation(it, edit)), file, now)
    // The first root has one key, which is where the repository was made.
    const confirm = async () => {}
    if (role === 'root') await addSignatures(file, { keys, keysDirectory, fingerprint, now, confirm })
    await add('alice', `${role}.json`)
    await add('carol', `${role}.json`)
    await finishCeremony(repository, [file], { keys, now })
  }
}, 120_000)

afterAll(async () => {
  await workspace[Symbol.asyncDispose]()
})

/** What `sign add --yes` does on the machine of this person. */
const add = async (person: Person, file: string): Promise<{ signed: Added['signed']; complete: boolean }> => {
  const keysDirectory = inDirectory(`${person}-pc`)
  const keys = fileKeys(keysDirectory, async () => undefined)
  const options = { keys, keysDirectory, fingerprint, now: new Date(), confirm: async () => {} }
  const { signed, review } = await addSignatures(inDirectory(file), options)
  return { signed, complete: review.complete }
}

const prepare = (file: string, ...change: readonly string[]) =>
  publisherJson(directory, ['sign', 'prepare', ...change, '--repo', 'r', '--out', file])

const finish = (...files: readonly string[]) => runPublisher(directory, ['sign', 'finish', ...files, '--repo', 'r'])

const inDirectory = (file: string) => join(directory, file)

test('the roots follow one another, each signed by the one before and by itself, with keys of three kinds', async () => {
  const { edition, roles } = await openRepository(workspace.repository)
  expect(edition.roots).toHaveLength(3)
  expect(roles.filter(({ role }) => role === 'root' || role === 'targets')).toMatchObject([
    { role: 'root', threshold: 2, metadataVersion: 3 },
    { role: 'targets', threshold: 2, metadataVersion: 2 },
  ])
  const schemes = Object.values(edition.root.metadata.signed.keys).map(({ scheme }) => scheme)
  expect(schemes.sort()).toEqual(['ecdsa-sha2-nistp256', 'ed25519', 'ed25519', 'ed25519', 'rsassa-pss-sha256'])
  expect((await openRepository(workspace.repository)).products).toEqual(['acme'])
})

test('two of three add a product: what is reviewed are words, and below the threshold nothing is published', async () => {
  await publisherJson(directory, ['keys', 'generate', 'zeta', '--repo', 'r', '--no-passphrase'])
  await publisherJson(directory, ['keys', 'export', 'zeta', '--repo', 'r', '--out', 'zeta.pub'])
  await prepare('zeta.json', 'product', 'zeta', '--key', 'zeta.pub')
  expect(await readFile(inDirectory('zeta.json'), 'utf8')).not.toMatch(/PRIVATE|descri/i)

  const { stdout } = await runPublisher(directory, ['sign', 'review', 'zeta.json'])
  expect(stdout).toContain(`first root is ${fingerprint}`)
  expect(stdout).toMatch(
    /targets, version 3\n {2}it is good until .*, 36[45] days.*\n {2}a new product zeta, signed by 1 of [0-9a-f]{8} \(Ed25519\)\n {2}needs 2 signatures: nobody yet; may still sign: .*\n/,
  )

  expect((await runPublisher(directory, ['sign', 'add', 'zeta.json', '--repo', 'r', '--yes'])).code).toBe(0) // The product's own key.
  expect(await add('bob', 'zeta.json')).toMatchObject({ complete: false, signed: [{ role: 'targets' }] })
  const before = await fingerprintTree(workspace.repository)
  const early = await finish('zeta.json')
  expect(early).toMatchObject({
    code: 5,
    stderr: expect.stringMatching(/targets has 1 of 2 signatures, and may have those of ([0-9a-f]{8}(, )?){2}\n/),
  })
  expect(await fingerprintTree(workspace.repository)).toEqual(before)

  expect(await add('bob', 'zeta.json')).toMatchObject({ complete: false, signed: [] }) // The same person twice counts once.
  const carol = ['sign', 'add', 'zeta.json', '--keys', 'carol-pc', '--yes', '--json']
  expect(JSON.parse((await runPublisher(directory, carol)).stdout)).toMatchObject({ complete: true })
  expect((await finish('zeta.json')).code).toBe(0)
  expect((await openRepository(workspace.repository)).products).toEqual(['acme', 'zeta'])
  expect(await finish('zeta.json')).toMatchObject({
    code: 4,
    stderr: expect.stringContaining('targets has changed since'),
  })
})

test('copies that people have signed apart are put together; a copy of something else is refused', async () => {
  await prepare('renew.json', 'renew', 'root', 'targets')
  await prepare('other.json', 'rotate', 'targets', '--threshold', '3')
  await cp(inDirectory('renew.json'), inDirectory('renew-bob.json'))
  await Promise.all([add('alice', 'renew.json'), add('bob', 'renew-bob.json')])
  expect(await finish('renew.json', 'other.json')).toMatchObject({
    code: 6,
    stderr: expect.stringContaining('not a copy'),
  })
  expect((await finish('renew.json', 'renew-bob.json')).code).toBe(0)
  expect((await openRepository(workspace.repository)).edition.roots).toHaveLength(4)
})

test('who signs for the first time compares the fingerprint, once', async () => {
  await prepare('first.json', 'renew', 'targets')
  // Bob's key on another machine, which has signed nothing yet.
  await mkdir(inDirectory('bob-laptop'))
  for (const file of await readdir(inDirectory('bob-pc'))) {
    if (file.startsWith('bob-')) await cp(inDirectory(`bob-pc/${file}`), inDirectory(`bob-laptop/${file}`))
  }
  const key = ['sign', 'add', 'first.json', '--keys', 'bob-laptop', '--yes']
  expect(await runPublisher(directory, key)).toMatchObject({
    code: 6,
    stderr: expect.stringMatching(/do not know the repository.*first root is sha256:/),
  })
  expect(await runPublisher(directory, [...key, '--fingerprint', `sha256:${'0'.repeat(64)}`])).toMatchObject({
    code: 6,
  })
  expect(
    await runPublisher(directory, ['sign', 'add', 'first.json', '--keys', 'bob-laptop', '--fingerprint', fingerprint]),
  ).toMatchObject({
    code: 2, // Nobody is here to say yes.
    stderr: expect.stringContaining('--yes'),
  })
  expect((await runPublisher(directory, [...key, '--fingerprint', fingerprint])).code).toBe(0)
  expect((await runPublisher(directory, key)).stdout).toContain('had signed it already')
})

test('a stranger is not asked, and cannot add a signature', async () => {
  await prepare('stranger.json', 'renew', 'targets')
  await createKeyFile(inDirectory('mallory-pc'), 'mallory', undefined)
  const args = ['sign', 'add', 'stranger.json', '--keys', 'mallory-pc', '--yes', '--fingerprint', fingerprint]
  expect(await runPublisher(directory, args)).toMatchObject({
    code: 5,
    stderr: expect.stringContaining('none of the keys in'),
  })
})

describe('a file that was altered on its way is refused', () => {
  // biome-ignore lint/suspicious/noExplicitAny: a file that may be bent in any way.
  type Bent = any
  const root = (file: Bent) => Object.keys(file.base).filter((name) => name.endsWith('root.json'))
  let prepared: string

  beforeAll(async () => {
    await prepare('sound.json', 'renew', 'root', 'targets')
    await add('alice', 'sound.json')
    prepared = await readFile(inDirectory('sound.json'), 'utf8')
  })

  const cases: readonly (readonly [string, (file: Bent) => void, RegExp])[] = [
    [
      'another expiry under a signature',
      (file) => (file.documents.root.signed.expires = '2031-01-01T00:00:00Z'),
      /signature of .* is for other bytes than those of root/,
    ],
    [
      'a signature of the stranger',
      (file) => file.documents.targets.signatures.push({ keyid: 'ab'.repeat(32), sig: 'cd'.repeat(64) }),
      /carries a signature of abab.*not asked to sign/,
    ],
    [
      'the same signature twice',
      (file) => file.documents.targets.signatures.push(file.documents.targets.signatures[0]),
      /two signatures name the same key id/,
    ],
    [
      'a signature of one document under the other',
      (file) => (file.documents.targets.signatures = file.documents.root.signatures),
      /is for other bytes than those of targets/,
    ],
    [
      'a version that is skipped',
      (file) =>
        Object.assign(file.documents.root, { signatures: [], signed: { ...file.documents.root.signed, version: 9 } }),
      /root would go from version \d to 9/,
    ],
    [
      'a root that is left out',
      (file) => delete file.base[root(file)[1] ?? ''],
      /has no place in it|is signed by|signature/,
    ],
    [
      'keys that are weak',
      (file) =>
        Object.assign(file.documents.root, { signatures: [], signed: { ...file.documents.root.signed, keys: {} } }),
      /not among the keys/,
    ],
    [
      'something that people do not sign',
      (file) => (file.documents.timestamp = { signed: {}, signatures: [] }),
      /timestamp is not signed by people/,
    ],
    ['a description that would be believed', (file) => (file.description = 'only a renewal'), /description/],
    [
      'a base that was bent',
      (file) => (file.base[Object.keys(file.base).find((name) => name.endsWith('targets.json')) ?? ''] = '{}'),
      /targets\.json is damaged/,
    ],
  ]

  test.each(cases)('%s', async (_, bend, says) => {
    const file = JSON.parse(prepared)
    bend(file)
    const path = inDirectory('bent.json')
    await writeFile(path, JSON.stringify(file, undefined, 1))
    await expect(readCeremony(path)).rejects.toMatchObject({
      code: 'CEREMONY_INVALID',
      message: expect.stringMatching(says),
    })
  })

  test('another first root: the same one to the letter, or the fingerprint that was noted does not fit', async () => {
    const file = JSON.parse(prepared)
    file.base['1.root.json'] = file.base['1.root.json'].replace('"version": 1', '"version": 1 ')
    await writeFile(inDirectory('bent.json'), JSON.stringify(file))
    expect((await readCeremony(inDirectory('bent.json'))).fingerprint).not.toBe(fingerprint)
    const keys = fileKeys(inDirectory('bob-pc'), async () => undefined)
    const options = { keys, keysDirectory: inDirectory('bob-pc'), now: new Date(), confirm: async () => {} }
    const adding = addSignatures(inDirectory('bent.json'), { ...options, fingerprint: undefined })
    await expect(adding).rejects.toMatchObject({ code: 'ROOT_UNKNOWN' })
  })

  test('one bit anywhere, once somebody has signed: it is refused, or what is signed is the same', async () => {
    const bytes = Buffer.from(prepared)
    const signedIn = ({ drafts, signatures }: Ceremony) =>
      ['root', 'targets'].map((role) => [
        canonicalBytes(draftOf(drafts, role)).toString(),
        signatures.get(role)?.length,
      ])
    const sound = signedIn(await readCeremony(inDirectory('sound.json')))
    let refused = 0
    const [flips, path] = [150, inDirectory('flipped.json')]
    for (let flip = 0; flip < flips; flip += 1) {
      const at = Math.floor(((flip + 0.5) * bytes.length) / flips)
      const flipped = Buffer.from(bytes)
      flipped[at] = (flipped[at] ?? 0) ^ (1 << (flip % 7))
      await writeFile(path, flipped)
      const read = await readCeremony(path).catch((error: unknown) => error)
      if (hasCode(read, 'CEREMONY_INVALID')) refused += 1
      // A bit of white space in the first root makes it another one: who signs has noted which.
      else if ((read as Ceremony).fingerprint === fingerprint) expect(signedIn(read as Ceremony)).toEqual(sound)
    }
    expect(refused).toBeGreaterThan(flips / 2)
  })

  test.concurrent.each([
    ['nothing', ''],
    ['no JSON', 'hello'],
    ['half of it', '{"kind":"updraft-ceremony","schema":1'],
  ])('%s', async (name, text) => {
    const file = `${name.replaceAll(' ', '-')}.json`
    await writeFile(inDirectory(file), text)
    expect(await runPublisher(directory, ['sign', 'review', file])).toMatchObject({
      code: 6,
      stderr: expect.stringContaining('ask for it again'),
    })
  })

  test('once it has expired, by the clock of who signs', async () => {
    const late = new Date(Date.now() + 366 * 86_400_000)
    const keys = fileKeys(inDirectory('r.keys'), async () => undefined)
    await add('bob', 'sound.json')
    await expect(
      finishCeremony(workspace.repository, [inDirectory('sound.json')], { keys, now: late }),
    ).rejects.toMatchObject({
      code: 'METADATA_EXPIRED',
      hint: expect.stringContaining('clock says'),
    })
    const [document] = (await reviewCeremonyFile(inDirectory('sound.json'), late)).documents
    expect(document?.changes[0]).toMatch(/^! it has expired already/)
  })
})

test('what would weaken the repository stands out in the review', async () => {
  await prepare('weaker.json', 'rotate', 'root', '--threshold', '1')
  const weaker = await reviewCeremonyFile(inDirectory('weaker.json'), new Date())
  expect(weaker.documents[0]?.changes).toContain('! root: 1 of 3 keys have to sign, before it was 2 of 3')
  // What no word covers is named: here a field that a later version might know.
  const file = JSON.parse(await readFile(inDirectory('weaker.json'), 'utf8'))
  file.documents.root.signed.custom = { anything: 1 }
  await writeFile(inDirectory('odd.json'), JSON.stringify(file))
  const odd = await reviewCeremonyFile(inDirectory('odd.json'), new Date())
  expect(odd.documents[0]?.changes.at(-1)).toMatch(
    /^! in it, the field "custom" changes, which this program has no words for/,
  )
})

test('a lost key of three is taken away by the two others, and replaced', async () => {
  const dave = await createKeyFile(inDirectory('dave-pc'), 'dave', undefined)
  await cp(dave.path.replace(/pem$/, 'pub'), inDirectory('dave.pub'))
  const [key] = await listKeys(inDirectory('carol-pc'))
  const carol = key?.keyId ?? ''
  await rm(inDirectory('carol-pc'), { recursive: true })
  await prepare('lost.json', 'revoke', carol.slice(0, 8), '--add-key', 'dave.pub')
  await add('alice', 'lost.json')
  await add('bob', 'lost.json')
  const { stdout } = await runPublisher(directory, ['sign', 'finish', 'lost.json', '--repo', 'r', '--json'])
  expect(JSON.parse(stdout).signed).toEqual(['root', 'targets', 'snapshot', 'timestamp'])
  const { roles, edition } = await openRepository(workspace.repository)
  for (const name of ['root', 'targets']) expect(roles.find(({ role }) => role === name)?.keyIds).not.toContain(carol)
  expect(Object.keys(edition.root.metadata.signed.keys)).not.toContain(carol)
  // Roots are never skipped or deleted.
  for (let version = 1; version <= edition.roots.length; version += 1) {
    expect((await stat(join(workspace.repository, `metadata/${version}.root.json`))).size).toBeGreaterThan(0)
  }
  await writeTree(workspace.build, { 'bin/acme': 'the program' })
  const publish = ['publish', 'build', '--repo', 'r', '--product', 'acme', '--version', '1.0.0']
  expect((await runPublisher(directory, publish)).code).toBe(0)
})
