// What the kill matrix and the fault grid stand on: one publisher with three small releases, homes of agents in which one of
// them is installed or none, and the trees that may be found there.
import { execFileSync } from 'node:child_process'
import { chmod, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { digestOfTree } from '../../scripts/demo/build.ts'
import { runForJson } from '../../scripts/demo/program.ts'
import { openStage, type Stage } from '../../scripts/demo/stage.ts'
import { type AgentHosts, openAgentHosts } from './agent-hosts.ts'
import type { Point, RunOrder } from './faults.ts'
import { makeSmallBuild } from './small-build.ts'

export const OLDER = '0.9.0'
export const OLD = '1.0.0'
export const NEW = '1.1.0'

export interface UpdateStage extends AsyncDisposable {
  readonly directory: string
  readonly stage: Stage
  readonly hosts: AgentHosts
  /** A home of its own, with `OLD` and the one before it installed or with nothing, that will look for `NEW`. */
  home(start: Start): Promise<string>
  /** What a run does to the disk, each point once, in order. */
  pointsOf(run: RunOrder): Promise<readonly Point[]>
  /** Digest of a release's tree. */
  digestOf(version: string): string
  /** Stops the origin, and has it come back on the same address with what there was before `NEW`. */
  rollBackOrigin(): Promise<void>
  /** `NEW` in one file. */
  readonly exportFile: string
}

export interface Start {
  readonly from: 'old' | 'nothing'
  /** Whether `NEW` passes its probe. */
  readonly isWell: boolean
}

export const openUpdateStage = async (): Promise<UpdateStage> => {
  const directory = await mkdtemp(join(tmpdir(), 'ud-'))
  const stage = await openStage({ directory: join(directory, 's'), product: 'acme' })
  const hosts = openAgentHosts(join(directory, 'compiled'))
  const digests = new Map<string, string>()
  const publish = async (version: string, seed: number) => {
    const build = await makeSmallBuild(join(directory, version), seed)
    // The probe: a release is well unless its version is the argument.
    await writeFile(join(build, 'bin/is-well'), '#!/bin/sh\n[ "$UPDRAFT_VERSION" != "$1" ]\n')
    await chmod(join(build, 'bin/is-well'), 0o755)
    await stage.publish(build, version)
    digests.set(version, await digestOfTree(build))
  }
  const installed = async () => {
    const end = await hosts.run({ home: old.home, args: ['run', '--once'] })
    if (end === 'killed' || end.exitCode !== 0) throw new Error(`nothing was installed: ${JSON.stringify(end)}`)
  }
  await stage.init()
  await publish(OLDER, 1)
  const origin = await stage.startOrigin()
  const nothing = await stage.agent('nothing')
  const old = await stage.agent('old')
  await installed()
  await publish(OLD, 2)
  await installed()
  const olderRepository = join(directory, 'older-repository')
  execFileSync('cp', ['-a', stage.repository, olderRepository])
  await publish(NEW, 3)
  const exportFile = join(directory, 'acme.tar')
  await runForJson('updraft-publisher', ['export', 'acme', '--repo', stage.repository, '--out', exportFile])

  let homes = 0
  return {
    directory,
    stage,
    hosts,
    exportFile,
    rollBackOrigin: async () => {
      await origin.stop()
      await rename(stage.repository, `${stage.repository}.newer`)
      await rename(olderRepository, stage.repository)
      await stage.startOrigin({ renew: false })
    },
    home: async ({ from, isWell }) => {
      homes += 1
      const home = join(directory, `h${homes}`)
      // With its hard links, which is how bundles share frames.
      execFileSync('cp', ['-a', (from === 'old' ? old : nothing).home, home])
      const settings = await readFile(join(home, 'agent.json'), 'utf8')
      const probe = { command: ['bin/is-well', isWell ? 'none' : NEW], attempts: 1 }
      const product = JSON.stringify({ source: 'demo', probe })
      await writeFile(
        join(home, 'agent.json'),
        settings
          .replace('{ "source": "demo" }', product)
          // What machines tell each other is read whenever they talk, so a point in it is not met again for sure.
          .replace('"network": {', '"network": { "peerMetadata": false,')
          .replace('"checkInterval', '"versionsKept": 2, "checkInterval'),
      )
      return home
    },
    pointsOf: async (run) => {
      const record = `${run.home}.points`
      await hosts.run({ ...run, record })
      const points = new Map<string, Point>()
      for (const line of (await readFile(record, 'utf8')).trim().split('\n')) {
        const point = JSON.parse(line) as Point
        if (points.get(point.name)?.changes !== true) points.set(point.name, point)
      }
      return [...points.values()]
    },
    digestOf: (version) => digests.get(version) ?? '',
    [Symbol.asyncDispose]: async () => {
      await hosts[Symbol.asyncDispose]()
      await stage[Symbol.asyncDispose]()
      await rm(directory, { recursive: true, force: true })
    },
  }
}
