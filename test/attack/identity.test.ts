// Attacks by people who have a product's keys and are not who they say, or are so no longer; and what a lower level of
// verification lets through, and what it never does.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect } from '@jest/globals'
import { runProgram } from '../../scripts/demo/program.ts'
import { attackTest } from '../support/attack-row.ts'
import {
  authority,
  type CertifiedKey,
  certify,
  identityOf,
  publicKeyIn,
  revocationList,
} from '../support/certificates.ts'
import { EVERYTHING, ed25519Key, FAR_FUTURE, type Loose, type SimulatedKey } from '../support/repository-simulator.ts'
import { expectInstalled, expectKept, expectRefused, openScene, type Scene } from './scene.ts'

const UNTRUSTED = 6
const ca = authority('Acme CA')
const certificateFor = (key: SimulatedKey, name: string, issuer: CertifiedKey = ca): CertifiedKey =>
  certify(name, { publicKey: publicKeyIn(key), issuer, serial: 9 })

/** The role targets signs who holds the key of acme. */
const signIdentity = ({ repository }: Scene, identity: unknown): void => {
  const role = repository.signed.targets?.delegations.roles.find(({ name }: Loose) => name === 'acme')
  Object.assign(role, { identity })
  repository.publish(...EVERYTHING.slice(1))
}

/** A machine whose owner trusts nobody but `ca` to say who signs acme. */
const openDemanding = async (key: SimulatedKey, settings: Readonly<Record<string, unknown>> = {}) => {
  const scene = await openScene({ keys: [key] })
  const pem = join(scene.directory, 'ca.pem')
  await writeFile(pem, ca.certificate.toString())
  const demand = (more: Readonly<Record<string, unknown>> = {}) =>
    scene.victim.configure({ authorities: [pem], ...more })
  await demand(settings)
  return { scene, demand }
}

attackTest(
  'unknown signer',
  "a product's key, with a certificate of an authority that only has the name of the pinned one",
  async (saw) => {
    const key = ed25519Key()
    const { scene } = await openDemanding(key)
    await using _scene = scene
    // An authority of the same name is another one.
    signIdentity(scene, identityOf(key, [certificateFor(key, 'Acme Releases', authority('Acme CA'))]))
    const look = saw(await scene.victim.look())
    expect(look).toMatchObject({ exitCode: UNTRUSTED, installed: undefined, seeded: 0, findings: ['identity-unknown'] })
    expect(look.files).toEqual([])
    signIdentity(scene, identityOf(key, [certificateFor(key, 'Acme Releases')]))
    expectInstalled(saw(await scene.victim.look()), scene, '1.0.0')
  },
)

attackTest('revoked signer', 'a key whose certificate its authority has taken back signs on', async (saw) => {
  const key = ed25519Key()
  const { scene, demand } = await openDemanding(key)
  await using _scene = scene
  const chain = [certificateFor(key, 'Acme Releases')]
  signIdentity(scene, identityOf(key, chain))
  const before = saw(await scene.victim.look())
  await scene.release('1.1.0')
  signIdentity(scene, identityOf(key, chain, [revocationList(ca, [9])]))
  const look = saw(await scene.victim.look())
  expect(look).toMatchObject({ exitCode: UNTRUSTED, installed: '1.0.0', digest: before.digest })
  expect(look.findings).toEqual(['identity-revoked'])
  // Whoever has said that this is only to be told gets the update, and goes on being told.
  await demand({ verification: 'permissive' })
  expect(saw(await scene.victim.look())).toMatchObject({
    exitCode: 0,
    installed: '1.1.0',
    findings: ['identity-revoked'],
  })
})

attackTest('other signer', 'somebody else, of the same authority, signs the next release', async (saw) => {
  const [key, other] = [ed25519Key(), ed25519Key()]
  const { scene } = await openDemanding(key)
  await using _scene = scene
  signIdentity(scene, identityOf(key, [certificateFor(key, 'Acme Releases')]))
  const before = saw(await scene.victim.look())
  expectInstalled(before, scene, '1.0.0')
  scene.repository.rotate('acme', [other])
  await scene.release('1.1.0')
  signIdentity(scene, identityOf(other, [certificateFor(other, 'Mallory')]))
  const look = saw(await scene.victim.look())
  expect(look).toMatchObject({ exitCode: 0, installed: '1.0.0', digest: before.digest, findings: ['identity-changed'] })
  const { environment } = scene.victim
  await runProgram('updraft-agent', ['approve', 'acme', '1.1.0'], { environment })
  expectInstalled(saw(await scene.victim.look()), scene, '1.1.0')
})

attackTest('level audit', 'the least of levels, and a release that a stranger has signed', async (saw) => {
  await using scene = await openScene()
  await scene.victim.configure({ verification: 'audit' })
  const before = saw(await scene.victim.look())
  scene.repository.signers.acme = [ed25519Key()]
  await scene.release('1.1.0')
  const look = saw(await scene.victim.look())
  expectKept(look, before, { exitCode: UNTRUSTED, error: 'METADATA_UNTRUSTED', finding: 'metadata-untrusted' })
})

attackTest(
  'level audit and a freeze',
  'metadata that has expired, where the owner wants that to be told only',
  async (saw) => {
    await using scene = await openScene()
    const timestamp = scene.repository.signed.timestamp as Loose
    timestamp.expires = '2026-01-01T00:00:00Z'
    scene.repository.publish('timestamp')
    expectRefused(saw(await scene.victim.look()), {
      exitCode: UNTRUSTED,
      error: 'METADATA_EXPIRED',
      finding: 'metadata-expired',
    })
    await scene.victim.configure({ verification: 'permissive' })
    const look = saw(await scene.victim.look())
    expect(look).toMatchObject({ exitCode: 0, installed: '1.0.0', findings: ['metadata-expired'] })
    timestamp.expires = FAR_FUTURE
    scene.repository.publish('timestamp')
    expect(saw(await scene.victim.look()).findings).toEqual([])
  },
)
