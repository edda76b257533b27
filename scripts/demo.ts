// `npm start`: the whole path once, on this machine, with a real package and real processes. Two agents: A updates from
// the origin, B from A alone; then both follow to the next version. `--once` stops when all has happened; otherwise it stays
// up to be looked at. Exits non-zero, saying what, if anything did not happen as it should.
import { join } from 'node:path'
import type { Update } from '../core/src/control/api.ts'
import { table } from '../core/src/terminal/plain-text.ts'
import { formatBytes, showProgress } from '../core/src/terminal/progress.ts'
import { digestOfTree, makeChangedBuild } from './demo/build.ts'
import { openStage, type StageAgent } from './demo/stage.ts'
import { optionsOf } from './options.ts'
import { PROJECT } from './steps.ts'

const USAGE = `npm start -- [options]

The whole path of a release, on this machine: a publisher, an origin, and two agents.

  --once           end when all has happened, in place of staying up to be looked at
  --data FOLDER    where everything is put (.data/demo)

Example: npm start -- --once`
const { once, data = join(PROJECT, '.data/demo') } = optionsOf(USAGE, { texts: ['data'], flags: ['once'] })

const PRODUCT = 'typescript'
const build = join(PROJECT, 'node_modules', PRODUCT)
const changedBuild = join(data, 'build-1.1.0')
const startedAt = performance.now()
const rows: string[][] = []

const say = (line: string) => process.stdout.write(`${line}\n`)

await using stage = await openStage({ directory: data, product: PRODUCT })

say(`\n1. A release engineer makes keys and a repository, and publishes ${PRODUCT} 1.0.0`)
await stage.init()
await stage.publish(build, '1.0.0', { errors: 'show' })

say('\n2. The origin serves, tracks and seeds it; agent A updates from the origin')
const origin = await stage.startOrigin()
const a = await stage.agent('a')
await a.start()
await follow([a], '1.0.0', build)

say('\n3. The origin stops seeding; agent B updates from agent A alone')
await origin.stop()
const quietOrigin = await stage.startOrigin({ seed: false })
const b = await stage.agent('b')
await b.start()
const [alone] = await follow([b], '1.0.0', build)
if (alone === undefined || alone.bytes.origin > 0 || alone.bytes.peers === 0) {
  throw new Error(`agent B was to fetch from A alone, but ${JSON.stringify(alone?.bytes)} bytes came from there`)
}

say('\n4. A changed tree is published as 1.1.0, and both follow')
await quietOrigin.stop()
await stage.startOrigin()
await makeChangedBuild(build, changedBuild)
await stage.publish(changedBuild, '1.1.0', { errors: 'show' })
await follow([a, b], '1.1.0', changedBuild)

rows.sort()
say(`\n${table(['agent', 'version', 'from peers', 'from origin', 'reused', 'seconds', 'signed by'], rows)}`)
say(`\nAll of it took ${((performance.now() - startedAt) / 1000).toFixed(1)} s.`)

if (!once) {
  say(`\nThe origin is at ${origin.url}. Both agents keep running; try in another terminal:`)
  say(`  UPDRAFT_HOME=${a.home} npx updraft-agent status`)
  say(`  npx updraft-publisher publish BUILD --repo ${stage.repository} --product ${PRODUCT} --version 1.2.0`)
  say(`  curl ${origin.url}`)
  say('Ctrl-C ends everything.')
  await new Promise<void>((resolve) => {
    process.once('SIGINT', resolve)
    process.once('SIGTERM', resolve)
  })
}

/** Waits until each agent has `version`, compares what it installed with the build, and keeps a row for the table. */
async function follow(agents: readonly StageAgent[], version: string, expected: string): Promise<readonly Update[]> {
  using progress = showProgress()
  const digest = await digestOfTree(expected)
  return Promise.all(
    agents.map(async (agent) => {
      const update = await agent.whenInstalled(version, { onProgress: progress.listener(`agent ${agent.name}`) })
      if ((await digestOfTree(agent.installedPath)) !== digest) {
        throw new Error(`what agent ${agent.name} installed is not the build of ${version}`)
      }
      const signers = (await agent.productStatus())?.installed?.signers ?? []
      const seconds = (Date.parse(update.endedAt ?? update.startedAt) - Date.parse(update.startedAt)) / 1000
      rows.push([
        agent.name,
        version,
        formatBytes(update.bytes.peers),
        formatBytes(update.bytes.origin),
        formatBytes(update.bytes.reused),
        seconds.toFixed(1),
        signers.map(({ name, keyId }) => name ?? `key ${keyId.slice(0, 8)}`).join(', '),
      ])
      return update
    }),
  )
}
