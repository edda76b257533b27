// `install PRODUCT`: subscribes to a product and sees its first installation through, by the running agent, or by itself
// if none runs.

import { controlAddressOf, namesAddress } from '@updraft/core/control/address'
import type { AgentEvent, ProductStatus } from '@updraft/core/control/api'
import { type ControlClient, controlClient } from '@updraft/core/control/client'
import { type Home, homeOf } from '@updraft/core/control/home'
import { errorOfProblem } from '@updraft/core/control/problem'
import { hasCode, UpdateError } from '@updraft/core/errors'
import { type Product, parseChannel, parseProduct } from '@updraft/core/names'
import { formatBytes, noProgress, type ProgressDisplay, showProgress } from '@updraft/core/terminal/progress'
import type { Command } from 'commander'
import { readOfflineStatus } from '../offline-status.ts'
import { editProduct } from '../settings/edit.ts'
import { readSettings } from '../settings.ts'
import type { Context } from './context.ts'
import { installKindOf, type KindOptions, withKindOptions } from './install-kind.ts'

interface InstallOptions extends KindOptions {
  readonly source?: string
  readonly channel?: string
  readonly json?: true
}

const HELP = `
Examples:
  $ updraft-agent install acme
  $ updraft-agent install acme --source main --channel beta
  $ updraft-agent install acme --kind file --path /usr/local/bin/acme --from bin/acme
  $ updraft-agent install acme --kind command --command /usr/local/sbin/acme-setup install
  $ updraft-agent install acme-vscode --kind vsix --cli /usr/bin/code

Writes the subscription into agent.json, and keeps the comments there. From then on the agent (updraft-agent run) keeps the
product up to date. Of several trusted sources, --source says which. How a version is brought into use is the choice of this
machine, and can be changed later; words that begin with a dash belong into agent.json.`

export const addInstallCommand = (program: Command, context: Context): void => {
  withKindOptions(program.command('install'))
    .description('subscribe to a product and install its newest release')
    .argument('<product>', 'name of the product, such as acme')
    .option('--source <name>', 'the trusted source that it comes from')
    .option('--channel <name>', 'the channel to follow (default: stable)')
    .option('--json', 'print the result as one JSON object')
    .addHelpText('after', HELP)
    .action((name: string, options: InstallOptions) => install(parseProduct(name), options, context))
}

const install = async (product: Product, options: InstallOptions, context: Context): Promise<void> => {
  const home = homeOf(context.environment)
  const channel = options.channel === undefined ? undefined : parseChannel(options.channel)
  const source = await sourceFor(product, options.source, home, context)
  const kind = await installKindOf(product, options, home.configDirectory)
  const subscribe = () => editProduct(home.configDirectory, { name: product, source, channel, install: kind })

  const { status, isNew } = await seeThrough({ product, home, context, subscribe, progress: progressFor(options) })
  const { update } = status ?? {}
  if (status?.installed === undefined && update?.state === 'probing') {
    context.print(options.json ? JSON.stringify({ product, new: isNew, update }) : tookOver(product, update.version))
    return
  }
  const installed = assertInstalled(product, status)
  const inUse = status?.use?.kind === 'directory' ? undefined : status?.use
  context.print(
    options.json
      ? JSON.stringify({ product, new: isNew, installed, use: status?.use, bytes: status?.update?.bytes })
      : describe(product, installed, isNew, status) +
          (inUse?.place === undefined ? '' : `\n  in use     as ${inUse.kind}, ${inUse.place}`),
  )
}

/** The agent itself: only the one that starts now can say that it is well. */
const tookOver = (product: Product, version: string): string =>
  `${product} ${version} is in place and takes over; see: updraft-agent status`

export const progressFor = ({ json }: { readonly json?: true }): ProgressDisplay => (json ? noProgress : showProgress())

export interface Work {
  readonly product: Product
  /** The exported file that brings it; without one it comes from its source. */
  readonly file?: string
  readonly home: Home
  readonly context: Context
  /** Writes the subscription. */
  readonly subscribe: () => Promise<unknown>
  readonly progress: ProgressDisplay
}

/** Subscribes, looks for the product, shows how far it is, and tells what came of it. */
export const seeThrough = async (work: Work) => {
  using display = work.progress
  let isNew = false
  const onEvent = (event: AgentEvent) => {
    if (event.kind === 'installed' && event.product === work.product) isNew = true
    showEvent(event, work.product, display)
  }
  const outcome = (await byRunningAgent(work, onEvent)) ?? (await byItself(work, onEvent))
  return { status: outcome.product, isNew }
}

/** Undefined leaves the source of a product that is subscribed to as it is. Errors: ROOT_UNKNOWN, USAGE. */
export const sourceFor = async (
  product: Product,
  wanted: string | undefined,
  home: Home,
  { parts }: Context,
): Promise<string | undefined> => {
  const names = (await parts.describeSources(home)).map(({ name }) => name)
  const hint = `add it with: updraft-agent trust add URL --root FILE${wanted === undefined ? '' : ` --name ${wanted}`}`
  if (wanted !== undefined) {
    if (names.includes(wanted)) return wanted
    throw new UpdateError('ROOT_UNKNOWN', `source ${JSON.stringify(wanted)} is not trusted`, { hint })
  }
  const { products } = await readSettings(home.configDirectory)
  if (products.some(({ name }) => name === product)) return undefined
  const [only, ...others] = names
  if (only === undefined) throw new UpdateError('ROOT_UNKNOWN', 'no source is trusted yet', { hint })
  if (others.length === 0) return only
  throw new UpdateError('USAGE', `${names.length} sources are trusted: ${names.join(', ')}`, {
    hint: `say which one with --source ${only}`,
  })
}

interface Outcome {
  readonly product: ProductStatus | undefined
}

/** Lets the running agent do it, and follows its events; undefined if none runs. */
const byRunningAgent = async (
  { product, file, context: { environment, signal }, subscribe }: Work,
  onEvent: (event: AgentEvent) => void,
): Promise<Outcome | undefined> => {
  const client = controlClient(controlAddressOf(environment))
  let before: number
  try {
    before = (await client.status({ signal })).cursor
  } catch (error) {
    if (hasCode(error, 'AGENT_NOT_RUNNING') && !namesAddress(environment)) return undefined
    throw error
  }
  await subscribe()
  try {
    await checkUntilIdle({ client, product, file, before, signal, onEvent })
    return { product: (await client.status({ signal })).products.find(({ name }) => name === product) }
  } catch (error) {
    if (!hasCode(error, 'AGENT_NOT_RUNNING')) throw error
    throw new UpdateError('AGENT_NOT_RUNNING', `the agent stopped before ${product} was installed`, {
      cause: error,
      hint: 'it goes on when it is started again: updraft-agent run',
    })
  }
}

interface Following {
  readonly client: ControlClient
  readonly product: Product
  readonly file: string | undefined
  /** The cursor from before the subscription: the agent may have noticed that by itself, and begun. */
  readonly before: number
  readonly signal: AbortSignal
  readonly onEvent: (event: AgentEvent) => void
}

/** Errors: those of the check; AGENT_NOT_RUNNING if the agent stops before it has ended. */
const checkUntilIdle = async (following: Following): Promise<void> => {
  const { client, product, file, before, signal, onEvent } = following
  const check = await (file === undefined ? client.check({ product }, { signal }) : client.import({ file }, { signal }))
  for await (const { cursor, event } of client.events(before, { signal })) {
    onEvent(event)
    // Events that were missed may have told of the end: ask again, and follow that.
    if (event.kind === 'reset') return checkUntilIdle({ ...following, before: cursor })
    if (cursor <= check.cursor) continue
    const isLook = file === undefined && event.kind === 'idle' && event.product === product
    const isImport = event.kind === 'import' && event.file === file
    if (!isLook && !isImport) continue
    if (event.error !== undefined) throw errorOfProblem(event.error)
    return
  }
  throw new UpdateError('AGENT_NOT_RUNNING', 'the events have ended')
}

/** One look in the foreground, by an agent that then ends. */
const byItself = async (
  { product, file, home, context: { parts, version, now, signal, note }, subscribe }: Work,
  onEvent: (event: AgentEvent) => void,
): Promise<Outcome> => {
  note('no agent is running: this command does it by itself; to keep the product up to date, start: updraft-agent run')
  await subscribe()
  const [{ runAgent }, { silentLog }] = await Promise.all([import('../agent.ts'), import('../log.ts')])
  const failures = await runAgent({
    home,
    parts,
    version,
    once: true,
    only: [product],
    importFile: file,
    log: silentLog,
    onEvent: ({ event }) => onEvent(event),
    now,
    signal,
  })
  signal.throwIfAborted()
  for (const error of failures.values()) throw error
  return { product: (await readOfflineStatus(home, parts)).products.find(({ name }) => name === product) }
}

const showEvent = (event: AgentEvent, product: Product, display: ProgressDisplay): void => {
  if (event.kind !== 'update' || event.product !== product || event.update.state !== 'downloading') return
  const { version, haveBytes, totalBytes } = event.update
  if (totalBytes === 0) return // It has begun, and how much it is is not known yet.
  display.listener(`${product} ${version}`)({ phase: 'download', doneBytes: haveBytes, totalBytes })
}

/** Errors: RELEASE_UNKNOWN, with the rule that nothing passed. */
export const assertInstalled = (
  product: Product,
  status: ProductStatus | undefined,
): NonNullable<ProductStatus['installed']> => {
  if (status?.installed !== undefined) return status.installed
  const refusal = status?.decision.findLast(({ passed }) => !passed)
  throw new UpdateError(
    'RELEASE_UNKNOWN',
    `nothing of ${product} was installed: ${refusal?.detail ?? 'no release was found'}`,
    {
      hint: 'the subscription stays: the agent installs the product as soon as a release fits',
    },
  )
}

export const describe = (
  product: Product,
  { version, path, signers, threshold }: NonNullable<ProductStatus['installed']>,
  isNew: boolean,
  status: ProductStatus | undefined,
): string => {
  const bytes = isNew ? status?.update?.bytes : undefined
  return [
    isNew ? `installed ${product} ${version}` : `${product} ${version} is installed, and nothing newer fits`,
    `  at         ${path}`,
    `  signed by  ${signers.map(({ name, keyId }) => name ?? keyId).join(', ')} (${threshold} needed)`,
    ...(bytes === undefined
      ? []
      : [
          `  bytes      ${formatBytes(bytes.peers)} from peers, ${formatBytes(bytes.origin)} from the origin, ${formatBytes(bytes.reused)} reused`,
        ]),
  ].join('\n')
}
