// The role `urgent` of a simulated repository.
import { type Loose, type RepositorySimulator, type SimulatedKey, sha256 } from './repository-simulator.ts'

/** Adds the role, with a list of nothing. Takes effect when targets and `urgent` are published. */
export const addUrgentRole = (repository: RepositorySimulator, keys?: readonly SimulatedKey[]): void => {
  repository.addProduct('urgent', keys)
  Object.assign(repository.signed.urgent ?? {}, { urgent: { schema: 1, releases: [] } })
}

/** Lists a release that the simulator made. */
export const callUrgent = (repository: RepositorySimulator, version: string, change: Loose = {}): void => {
  const index = sha256(Buffer.from(`index of acme ${version}`))
  repository.signed.urgent?.urgent.releases.push({ product: 'acme', version, platform: 'linux-x64', index, ...change })
}
