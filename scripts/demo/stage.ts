// A whole Updraft on one machine: a repository, its origin, agents with homes of their own, all real processes on
// loopback. The demonstration and the system tests both stand on it.
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ProductStatus, Update } from '../../core/src/control/api.ts'
import { type ControlClient, controlClient } from '../../core/src/control/client.ts'
import { homeOf } from '../../core/src/control/home.ts'
import type { ProgressListener } from '../../core/src/progress.ts'
import { lastingPort } from './lasting-port.ts'
import { type Finished, type Running, type RunOptions, runForJson, runProgram, startProgram } from './program.ts'

export interface Stage extends AsyncDisposable {
  readonly directory: string
  readonly repository: string
  readonly product: string
  /** Makes keys and the empty repository. */
  init(): Promise<void>
  publish(build: string, version: string, options?: RunOptions): Promise<void>
  /** Starts the origin, on the port that it had before if it ran already. */
  startOrigin(options?: OriginOptions): Promise<Origin>
  /** An agent that trusts the repository's root, at the origin or at `url`, and may use loopback; not started, nothing installed. */
  agent(name: string, url?: string): Promise<StageAgent>
}

export interface OriginOptions {
  /** False: metadata and tracker only, not one byte of a bundle. */
  readonly seed?: boolean
  /** False: leaves the signatures of the repository as they are. */
  readonly renew?: boolean
  /** More options of `serve`. */
  readonly more?: readonly string[]
}

export interface Origin {
  readonly url: string
  readonly running: Running
  stop(): Promise<void>
}

export interface StageAgent {
  readonly name: string
  readonly home: string
  readonly environment: Readonly<Record<string, string>>
  readonly client: ControlClient
  /** Where the installed version always is. */
  readonly installedPath: string
  start(): Promise<Running>
  /** The process that was started last. */
  running(): Running
  stop(): Promise<void>
  /** Runs a command of this agent to its end. */
  run(args: readonly string[]): Promise<Finished>
  productStatus(): Promise<ProductStatus | undefined>
  /** Resolves once `version` is installed and seeded; throws what the agent says if the update fails. */
  whenInstalled(version: string, options?: WaitOptions): Promise<Update>
}

export interface WaitOptions {
  readonly onProgress?: ProgressListener
  readonly timeoutMs?: number
}

export interface StageOptions {
  /** Emptied first. Keep its path short: control sockets lie below it. */
  readonly directory: string
  readonly product: string
  readonly errors?: RunOptions['errors']
  /** Where agents run, if not simply on this machine. */
  readonly within?: RunOptions['within']
}

export const openStage = async ({ directory, product, errors = 'keep', within = [] }: StageOptions): Promise<Stage> => {
  await rm(directory, { recursive: true, force: true })
  await mkdir(directory, { recursive: true })
  const repository = join(directory, 'repository')
  const running = new Set<Running>()
  let originPort: number | undefined
  let originUrl = ''

  const track = <T extends Running>(program: T): T => {
    running.add(program)
    void program.exited.then(() => running.delete(program))
    return program
  }

  return {
    directory,
    repository,
    product,
    init: async () => {
      await runForJson('updraft-publisher', ['init', repository, '--product', product, '--no-passphrase'], { errors })
    },
    publish: async (build, version, options = {}) => {
      const args = ['publish', build, '--repo', repository, '--product', product, '--version', version]
      const { exitCode, stdout, stderr } = await runProgram('updraft-publisher', args, { errors, ...options })
      if (exitCode !== 0) throw new Error(`publish ended with ${exitCode}\n${stdout}${stderr}`)
    },
    startOrigin: async ({ seed = true, renew = true, more = [] } = {}) => {
      originPort ??= await lastingPort()
      const args = [
        'serve',
        repository,
        '--host',
        '127.0.0.1',
        '--port',
        String(originPort),
        '--allow-loopback',
        '--json',
      ]
      const left = [...(seed ? [] : ['--no-seed']), ...(renew ? [] : ['--no-renew'])]
      const program = track(await startProgram('updraft-publisher', [...args, ...left, ...more]))
      const { url } = JSON.parse(program.firstLine) as { url: string }
      originUrl = url
      return { url, running: program, stop: () => program.stop() }
    },
    agent: async (name, url = originUrl) => {
      const home = join(directory, name)
      await mkdir(home, { recursive: true })
      await writeFile(
        join(home, 'agent.json'),
        `{
  // Everything of this demonstration is on one machine, so peers on loopback are allowed.
  "network": { "allowLoopback": true, "stallTimeoutSeconds": 20 },
  "checkIntervalSeconds": 2,
  "products": { "${product}": { "source": "demo" } }
}
`,
      )
      const agent = stageAgent({ name, home, product, track, within })
      const root = join(repository, 'metadata', '1.root.json')
      const added = await agent.run(['trust', 'add', url, '--name', 'demo', '--root', root])
      if (added.exitCode !== 0) throw new Error(`trust add ended with ${added.exitCode}\n${added.stderr}`)
      return agent
    },
    [Symbol.asyncDispose]: async () => {
      await Promise.all([...running].map((program) => program.stop()))
    },
  }
}

interface AgentParts {
  readonly name: string
  readonly home: string
  readonly product: string
  readonly track: <T extends Running>(program: T) => T
  readonly within: readonly string[]
}

const stageAgent = ({ name, home, product, track, within }: AgentParts): StageAgent => {
  const environment = { UPDRAFT_HOME: home }
  const client = controlClient(homeOf(environment).socketPath)
  let running: Running | undefined

  const productStatus = async () => (await client.status()).products.find((status) => status.name === product)

  return {
    name,
    home,
    environment,
    client,
    installedPath: join(home, 'products', product, 'current'),
    start: async () => {
      const isReady = () =>
        client.status().then(
          () => true,
          () => false,
        )
      running = track(await startProgram('updraft-agent', ['run'], { environment, isReady, within }))
      return running
    },
    running: () => {
      if (running === undefined) throw new Error(`agent ${name} was not started`)
      return running
    },
    stop: async () => running?.stop(),
    run: (args) => runProgram('updraft-agent', args, { environment, within }),
    productStatus,
    whenInstalled: async (version, { onProgress, timeoutMs = 60_000 } = {}) => {
      const signal = AbortSignal.timeout(timeoutMs)
      // The status is read after the connection for events is open, so that nothing falls between the two.
      const { cursor } = await client.status({ signal })
      const isThere = async (): Promise<Update | undefined> => {
        const status = await productStatus()
        const { update } = status ?? {}
        if (update?.version === version && update.state === 'failed') {
          throw new Error(`${name}: update to ${version} failed: ${update.error?.detail ?? 'no reason given'}`)
        }
        const done = status?.installed?.version === version && update?.state === 'committed'
        return done && status.seeding.releases > 0 ? update : undefined
      }
      const already = await isThere()
      if (already !== undefined) return already
      for await (const { event } of client.events(cursor, { signal })) {
        if (event.kind === 'update' && event.update.version === version) {
          const { haveBytes, totalBytes, state } = event.update
          // Before the first byte there is nothing to show, and checking and installing take no time worth a bar.
          if (totalBytes > 0 && (state === 'downloading' || state === 'committed')) {
            onProgress?.({ phase: version, doneBytes: haveBytes, totalBytes })
          }
        }
        if (event.kind === 'seeding' || event.kind === 'update') {
          const update = await isThere()
          if (update !== undefined) return update
        }
      }
      throw new Error(`${name} stopped before ${version} was installed`)
    },
  }
}

/** Settings of a stage's agent, changed in place: the running agent notices by itself. */
export const changeSettings = async (agent: StageAgent, change: (text: string) => string): Promise<void> => {
  const path = join(agent.home, 'agent.json')
  await writeFile(path, change(await readFile(path, 'utf8')))
}
