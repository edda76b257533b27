// `serve DIR`: the origin, until it is told to stop.
import { once } from 'node:events'
import { UpdateError } from '@updraft/core/errors'
import { parseEndpoint } from '@updraft/core/swarm/peers/addresses'
import type { Command } from 'commander'
import type { Context } from '../context.ts'
import type { Origin } from '../origin.ts'
import { addKeyOptions, type KeyOptions, keysFor } from './key-options.ts'

interface ServeCommandOptions extends KeyOptions {
  readonly host: string
  readonly port: number
  readonly swarmPort: number
  readonly seedReleases: number
  /** False with --no-seed. */
  readonly seed: boolean
  /** False with --no-renew. */
  readonly renew: boolean
  readonly allowLoopback?: true
  readonly dht?: true
  readonly dhtBootstrap?: readonly string[]
  readonly json?: true
  readonly logJson?: true
}

const PORT_MAX = 65_535
const SEED_RELEASES_MAX = 1_000

const HELP = `
Examples:
  $ updraft-publisher serve r
  $ updraft-publisher serve r --host 192.168.1.5 --port 80 --swarm-port 6881
  $ UPDRAFT_PASSPHRASE=... updraft-publisher serve r --json --log-json      (as a service)

TCP and UDP port 8080 and the swarm port have to be open to the machines that update.
The keys of snapshot and timestamp should be at hand; without them it serves, and warns before anything expires.`

export const addServeCommand = (program: Command, context: Context): void => {
  const command = program
    .command('serve')
    .description('serve a repository: HTTP and web seed, tracker over HTTP, UDP and WebSocket, first seeder')
    .argument('<dir>', 'the repository')
    .option('--host <address>', 'address to listen on', '0.0.0.0')
    .option('--port <n>', 'TCP and UDP port; 0 takes a free one', numberUpTo(PORT_MAX, '--port'), 8080)
    .option('--swarm-port <n>', 'TCP port of the seeder; 0 takes a free one', numberUpTo(PORT_MAX, '--swarm-port'), 0)
    .option(
      '--seed-releases <n>',
      'how many of the newest releases of each product and platform to seed',
      numberUpTo(SEED_RELEASES_MAX, '--seed-releases'),
      3,
    )
    .option('--no-seed', 'metadata and tracker only: neither web seed nor seeder')
    .option('--no-renew', 'do not sign snapshot and timestamp anew')
    .option('--allow-loopback', 'let the seeder talk to peers on this machine')
    .option('--dht', 'take part in the distributed hash table, and keep a signed pointer to the newest metadata there')
    .option('--dht-bootstrap <host:port...>', 'nodes to enter it by; else the public ones (implies --dht)')
    .option('--json', 'print the addresses as one JSON object')
    .option('--log-json', 'write the log, on standard error, as JSON')
    .addHelpText('after', HELP)
  addKeyOptions(command).action((directory: string, options: ServeCommandOptions) => serve(directory, options, context))
}

const serve = async (directory: string, options: ServeCommandOptions, context: Context): Promise<void> => {
  // Web server, tracker and swarm take as long to load as another command takes to run.
  const [{ openLog }, { startOrigin }] = await Promise.all([import('../origin/log.ts'), import('../origin.ts')])
  const { seed, swarmPort, seedReleases, host, port } = options
  const { signal } = context
  await using origin = await startOrigin({
    directory,
    host,
    port,
    seed: seed
      ? {
          port: swarmPort,
          releasesMax: seedReleases,
          allowLoopback: options.allowLoopback === true,
          dht: options.dht === true || options.dhtBootstrap !== undefined,
          dhtBootstrap: options.dhtBootstrap?.map(parseNode),
        }
      : undefined,
    keys: options.renew ? keysFor(directory, options, context).source : undefined,
    now: context.now,
    log: openLog({ json: options.logJson === true }),
  })
  context.print(options.json ? JSON.stringify(summaryOf(origin)) : describe(directory, origin))
  // To be told to stop is how serving ends well: no error.
  if (!signal.aborted) await once(signal, 'abort')
}

/** The first line of `--json`: everything is open when it is printed. */
const summaryOf = ({ url, trackerUrls, swarmPort, fingerprint }: Origin) => ({
  url,
  trackers: trackerUrls,
  swarmPort,
  fingerprint,
  pid: process.pid,
})

const describe = (directory: string, { url, trackerUrls, swarmPort, fingerprint }: Origin): string =>
  `serving ${directory}
  repository  ${url}
  trackers    ${trackerUrls.join('  ')}
  seeder      ${swarmPort === 0 ? 'none' : `TCP port ${swarmPort}`}

a machine follows it with
  updraft-agent trust add ${url} --fingerprint ${fingerprint}`

const parseNode = (text: string): string => {
  if (parseEndpoint(text) !== undefined) return text
  throw new UpdateError('USAGE', `--dht-bootstrap ${JSON.stringify(text)} is not of the form HOST:PORT`)
}

const numberUpTo =
  (max: number, option: string) =>
  (value: string): number => {
    const number = /^\d{1,5}$/.test(value) ? Number(value) : Number.NaN
    if (!(number <= max)) {
      throw new UpdateError('USAGE', `${option} ${JSON.stringify(value)} is not a number from 0 to ${max}`)
    }
    return number
  }
