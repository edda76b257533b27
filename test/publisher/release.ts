// Publishing in a test's own workspace, with as little said as possible.
import { parseChannel, parsePlatform, parseProduct, parseReleaseVersion } from '@updraft/core/names'
import type { RolloutStep } from '@updraft/core/release'
import type { Published } from '../../publisher/src/publish/result.ts'
import { type PublishOptions, type PublishRequest, publish } from '../../publisher/src/publish.ts'
import { NOW, type Workspace } from './workspace.ts'

export interface TestRelease {
  readonly version: string
  readonly product?: string
  readonly platform?: string
  readonly channels?: readonly string[]
  readonly build?: string
  readonly notes?: string
  readonly rollout?: readonly RolloutStep[] | undefined
}

export const requestOf = (workspace: Workspace, release: TestRelease): PublishRequest => ({
  product: parseProduct(release.product ?? 'acme'),
  version: parseReleaseVersion(release.version),
  platform: parsePlatform(release.platform ?? 'any'),
  channels: (release.channels ?? ['stable']).map(parseChannel),
  notes: release.notes,
  rollout: release.rollout,
  build: release.build ?? workspace.build,
  repository: workspace.repository,
  keysDirectory: workspace.keysDirectory,
})

export const release = (
  workspace: Workspace,
  wanted: TestRelease,
  options: Partial<PublishOptions> = {},
): Promise<Published> => publish(requestOf(workspace, wanted), { keys: workspace.keys, now: NOW, ...options })
