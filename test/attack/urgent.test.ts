// Attacks by people who have the keys of a product, or those of the role `urgent`, and not both, on machines whose owners let every
// release grow old before it is installed.
import { expect } from '@jest/globals'
import { runProgram } from '../../scripts/demo/program.ts'
import { attackTest } from '../support/attack-row.ts'
import { sha256 } from '../support/repository-simulator.ts'
import { addUrgentRole, callUrgent } from '../support/urgent-role.ts'
import type { ForgedRelease } from './hostile-origin.ts'
import { expectInstalled, expectKept, openScene, type Scene } from './scene.ts'

const UNTRUSTED = 6

/** 1.0.0 runs, from before its owner asked for two days. */
const openCautious = async () => {
  const scene = await openScene()
  const before = await scene.victim.look()
  expectInstalled(before, scene, '1.0.0')
  addUrgentRole(scene.repository)
  scene.repository.publish('urgent', 'targets', 'snapshot', 'timestamp')
  await scene.victim.configure({ minimumAgeHours: 48 })
  return { scene, before }
}

/** The product's own people, or who has their keys, call it urgent. */
const claim = ({ repository }: Scene, version: string): void => {
  Object.assign(repository.signed.acme?.targets[`acme/${version}/linux-x64.index`].custom, { urgent: true })
  repository.publish('acme', 'snapshot', 'timestamp')
}

const digestOf = ({ index }: ForgedRelease): string => /([0-9a-f]{64})/.exec(index)?.[1] ?? ''

attackTest('stolen product key', 'it calls its own release urgent, to skip the age of two days', async (saw) => {
  const { scene, before } = await openCautious()
  await using _scene = scene
  const made = await scene.release('1.1.0')
  claim(scene, '1.1.0')
  const look = saw(await scene.victim.look())
  expect(look).toMatchObject({ exitCode: 0, installed: '1.0.0', digest: before.digest, findings: [] })
  const { environment } = scene.victim
  const why = async () => (await runProgram('updraft-agent', ['why', 'acme'], { environment })).stdout
  expect(await why()).toContain('its product calls it urgent, which only the role urgent may do')

  callUrgent(scene.repository, '1.1.0', { index: digestOf(made) })
  scene.repository.publish('urgent', 'snapshot', 'timestamp')
  expectInstalled(saw(await scene.victim.look()), scene, '1.1.0')
  const [signer] = scene.repository.signers.urgent ?? []
  expect(await why()).toContain(`1.1.0 is signed as urgent by key ${signer?.keyId.slice(0, 8)} (role urgent)`)
})

attackTest(
  'stolen product key',
  'it signs the list of urgent releases, and another content under an urgent name',
  async (saw) => {
    const { scene, before } = await openCautious()
    await using _scene = scene
    const { repository, victim } = scene
    const good = await scene.release('1.1.0')
    callUrgent(repository, '1.1.0', { index: digestOf(good) })
    const honest = repository.signers.urgent ?? []
    repository.signers.urgent = repository.signers.acme ?? []
    repository.publish('urgent', 'snapshot', 'timestamp')
    const forged = saw(await victim.look())
    expect(forged).toMatchObject({
      exitCode: 0,
      installed: '1.0.0',
      digest: before.digest,
      findings: ['urgent-unknown'],
    })

    repository.signers.urgent = honest
    // What the people of the role have looked at is not what the thief has put there under its name.
    repository.signed.urgent?.urgent.releases.splice(0)
    callUrgent(repository, '1.1.0', { index: sha256(Buffer.from('the fix')) })
    repository.publish('urgent', 'snapshot', 'timestamp')
    const other = saw(await victim.look())
    expect(other).toMatchObject({ exitCode: 0, installed: '1.0.0', digest: before.digest, findings: [] })
  },
)

attackTest('stolen urgent key', 'it signs a release of acme, and calls it urgent', async (saw) => {
  const { scene, before } = await openCautious()
  await using _scene = scene
  const { repository, victim } = scene
  repository.signers.acme = repository.signers.urgent ?? []
  const made = await scene.release('1.1.0')
  callUrgent(repository, '1.1.0', { index: digestOf(made) })
  repository.publish('urgent', 'snapshot', 'timestamp')
  const refusal = { exitCode: UNTRUSTED, error: 'METADATA_UNTRUSTED', finding: 'metadata-untrusted' }
  expectKept(saw(await victim.look()), before, refusal)
})
