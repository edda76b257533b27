// The attacks that The Update Framework names, against a real agent process over HTTP: what a network, a mirror or stolen
// keys can do to the metadata of a source.
import { expect } from '@jest/globals'
import { attackTest } from '../support/attack-row.ts'
import { ed25519Key, type RepositorySimulator } from '../support/repository-simulator.ts'
import { sendEndlessly, serveHostile } from './hostile-origin.ts'
import { expectInstalled, expectKept, expectRefused, openScene } from './scene.ts'

const UNTRUSTED = 6
const UNREACHABLE = 7

const copyOf = (repository: RepositorySimulator): Map<string, Buffer> => new Map(repository.files)

const expire = (repository: RepositorySimulator, role: string): void => {
  Object.assign(repository.signed[role] ?? {}, { expires: '2020-02-02T00:00:00Z' })
}

attackTest('arbitrary installation', 'the release is signed by a stranger', async (saw) => {
  await using scene = await openScene({ first: null })
  scene.repository.signers.acme = [ed25519Key()]
  await scene.release('1.0.0')
  const look = saw(await scene.victim.look())
  expectRefused(look, { exitCode: UNTRUSTED, error: 'METADATA_UNTRUSTED', finding: 'metadata-untrusted' })
})

attackTest('arbitrary installation', 'the bytes of the index are replaced on the server', async (saw) => {
  await using scene = await openScene({ first: null })
  const release = await scene.release('1.0.0')
  const index = scene.repository.files.get(release.index) ?? Buffer.alloc(0)
  scene.repository.files.set(release.index, Buffer.from(index).fill(1, index.length >> 1))
  const look = saw(await scene.victim.look())
  expectRefused(look, { exitCode: UNTRUSTED, error: 'BUNDLE_INVALID', finding: 'bundle-tampered' })
})

attackTest('endless data', 'the timestamp never ends', async (saw) => {
  await using scene = await openScene()
  let sent = 0
  scene.origin.hijack = (path, _, response) => {
    if (path !== 'metadata/timestamp.json') return false
    sendEndlessly(response, (bytes) => {
      sent += bytes
    })
    return true
  }
  const look = saw(await scene.victim.look())
  expectRefused(look, { exitCode: UNTRUSTED, error: 'LIMIT_EXCEEDED', finding: 'metadata-policy' })
  // What fits into the buffers between the two, and not the stream.
  expect(sent).toBeLessThan(64 * 1024 * 1024)
})

attackTest('endless data', 'the signed index never ends', async (saw) => {
  await using scene = await openScene()
  scene.origin.hijack = (path, _, response) => {
    if (!path.endsWith('.index')) return false
    sendEndlessly(response, () => {})
    return true
  }
  const look = saw(await scene.victim.look())
  expectRefused(look, { exitCode: UNTRUSTED, error: 'BUNDLE_INVALID', finding: 'bundle-tampered' })
})

attackTest('extraneous dependencies', 'the people of another product list a release of acme', async (saw) => {
  await using scene = await openScene({ first: null, products: ['acme', 'other'] })
  const { repository } = scene
  repository.addProduct('other')
  repository.publish('other', 'targets', 'snapshot', 'timestamp')
  await scene.release('1.0.0')
  const acme = repository.signed.acme ?? {}
  const other = repository.signed.other ?? {}
  Object.assign(other.targets, acme.targets)
  acme.targets = {}
  repository.publish('acme', 'other', 'snapshot', 'timestamp')
  const [ofAcme, ofOther] = await scene.victim.lookAtEach()
  if (ofAcme === undefined || ofOther === undefined) throw new Error('both products are looked at')
  // The check of the source is told as that of the product that was looked at last; a finding is the product's own.
  const nothing = { exitCode: UNTRUSTED, installed: undefined, digest: undefined, seeded: 0, files: [] }
  expect(saw(ofOther)).toMatchObject({ ...nothing, findings: ['metadata-policy'] })
  expect(saw(ofAcme)).toMatchObject({ ...nothing, findings: [] })
})

attackTest('fast-forward', 'stolen online keys jump to version 2^40; the owner replaces them', async (saw) => {
  await using scene = await openScene()
  const { repository, victim } = scene
  for (const role of ['timestamp', 'snapshot']) Object.assign(repository.signed[role] ?? {}, { version: 2 ** 40 })
  repository.publish('snapshot', 'timestamp')
  expectInstalled(saw(await victim.look()), scene, '1.0.0')
  for (const role of ['timestamp', 'snapshot']) {
    repository.rotate(role)
    Object.assign(repository.signed[role] ?? {}, { version: 10 })
  }
  repository.publish('root')
  await scene.release('1.1.0')
  expectInstalled(saw(await victim.look()), scene, '1.1.0')
})

attackTest('indefinite freeze', 'the timestamp is replayed until it has expired', async (saw) => {
  await using scene = await openScene()
  const before = saw(await scene.victim.look())
  expire(scene.repository, 'timestamp')
  scene.repository.publish('timestamp')
  const look = saw(await scene.victim.look())
  expectKept(look, before, { exitCode: UNTRUSTED, error: 'METADATA_EXPIRED', finding: 'metadata-expired' })
})

attackTest('indefinite freeze', 'a new machine is given only expired metadata', async (saw) => {
  await using scene = await openScene()
  expire(scene.repository, 'timestamp')
  scene.repository.publish('timestamp')
  const look = saw(await scene.victim.look())
  expectRefused(look, { exitCode: UNTRUSTED, error: 'METADATA_EXPIRED', finding: 'metadata-expired' })
})

attackTest('malicious mirror', 'the first of two mirrors answers everything with rubbish', async (saw) => {
  await using bad = await serveHostile(new Map())
  bad.hijack = (_path, _request, response) => {
    response.end('<html>welcome</html>')
    return true
  }
  await using scene = await openScene({ urls: (own) => [bad.url, own] })
  expectInstalled(saw(await scene.victim.look()), scene, '1.0.0')
  expect(bad.requests.length).toBeGreaterThan(0)
})

attackTest(
  'malicious mirror',
  'the first of two mirrors has only old files, and withholds the timestamp',
  async (saw) => {
    await using bad = await serveHostile(new Map())
    await using scene = await openScene({ urls: (own) => [bad.url, own] })
    bad.files = copyOf(scene.repository)
    expectInstalled(saw(await scene.victim.look()), scene, '1.0.0')
    bad.files = new Map([...bad.files].filter(([path]) => path !== 'metadata/timestamp.json'))
    await scene.release('1.1.0')
    expectInstalled(saw(await scene.victim.look()), scene, '1.1.0')
  },
)

attackTest('mix-and-match', 'a new snapshot with the old file of the product', async (saw) => {
  await using scene = await openScene()
  const { files } = scene.repository
  const before = saw(await scene.victim.look())
  const old = files.get('metadata/2.acme.json') ?? Buffer.alloc(0)
  await scene.release('1.1.0')
  expect(files.has('metadata/3.acme.json')).toBe(true)
  files.set('metadata/3.acme.json', old)
  const look = saw(await scene.victim.look())
  expectKept(look, before, { exitCode: UNTRUSTED, error: 'METADATA_UNTRUSTED', finding: 'metadata-untrusted' })
})

attackTest(
  'rollback',
  'the files of before the last update are replayed, also after the cache is gone',
  async (saw) => {
    await using scene = await openScene()
    const { victim, origin } = scene
    expectInstalled(await victim.look(), scene, '1.0.0')
    const old = copyOf(scene.repository)
    await scene.release('1.1.0')
    const before = await victim.look()
    expectInstalled(before, scene, '1.1.0')
    origin.files = old
    const refusal = { exitCode: UNTRUSTED, error: 'METADATA_ROLLBACK', finding: 'metadata-rollback' }
    expectKept(saw(await victim.look()), before, refusal)
    await victim.deleteMetadataCache()
    expectKept(saw(await victim.look()), before, refusal)
  },
)

attackTest('rollback', 'the publisher’s newest metadata no longer lists the installed version', async (saw) => {
  await using scene = await openScene()
  const { repository, victim } = scene
  await scene.release('1.1.0')
  const before = saw(await victim.look())
  expectInstalled(before, scene, '1.1.0')
  const { targets } = repository.signed.acme ?? {}
  for (const path of Object.keys(targets)) if (path.includes('/1.1.0/')) delete targets[path]
  repository.publish('acme', 'snapshot', 'timestamp')
  const look = saw(await victim.look())
  expect(look).toMatchObject({ exitCode: 0, installed: '1.1.0', digest: before.digest })
})

attackTest('key compromise below threshold', 'one of the two keys of acme signs a release alone', async (saw) => {
  const keys = [ed25519Key(), ed25519Key()]
  await using scene = await openScene({ keys })
  const before = saw(await scene.victim.look())
  scene.repository.signers.acme = keys.slice(0, 1)
  await scene.release('1.1.0')
  const look = saw(await scene.victim.look())
  expectKept(look, before, { exitCode: UNTRUSTED, error: 'METADATA_UNTRUSTED', finding: 'metadata-untrusted' })
})

attackTest('key compromise below threshold', 'one of two keys signs twice', async (saw) => {
  const keys = [ed25519Key(), ed25519Key()] as const
  await using scene = await openScene({ keys })
  const before = saw(await scene.victim.look())
  scene.repository.signers.acme = [keys[0], keys[0]]
  await scene.release('1.1.0')
  const look = saw(await scene.victim.look())
  expectKept(look, before, { exitCode: UNTRUSTED, error: 'METADATA_UNTRUSTED', finding: 'metadata-untrusted' })
})

attackTest('stolen online keys', 'snapshot and timestamp keys vouch for a release by a stranger', async (saw) => {
  await using scene = await openScene()
  const before = saw(await scene.victim.look())
  scene.repository.signers.acme = [ed25519Key()]
  await scene.release('9.0.0')
  const look = saw(await scene.victim.look())
  expectKept(look, before, { exitCode: UNTRUSTED, error: 'METADATA_UNTRUSTED', finding: 'metadata-untrusted' })
})

attackTest('stolen online keys', 'they take the product out of the snapshot', async (saw) => {
  await using scene = await openScene()
  const before = saw(await scene.victim.look())
  delete scene.repository.signed.snapshot?.meta['acme.json']
  scene.repository.publish('snapshot', 'timestamp')
  const look = saw(await scene.victim.look())
  expectKept(look, before, { exitCode: UNTRUSTED, error: 'METADATA_ROLLBACK', finding: 'metadata-rollback' })
})

attackTest('drop request', 'every request for metadata is answered with 404', async (saw) => {
  await using scene = await openScene()
  const before = saw(await scene.victim.look())
  scene.origin.files = new Map()
  const look = saw(await scene.victim.look())
  expectKept(look, before, { exitCode: UNREACHABLE, error: 'SOURCE_UNREACHABLE', finding: 'source-unreachable' })
})
