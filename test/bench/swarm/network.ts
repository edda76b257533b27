// A network of its own for one run: a namespace for each machine, joined by bridges in further namespaces, with every link
// shaped in both directions by a token bucket (TBF). Nothing of it touches the machine's own network. Root and iproute2.
import { spawnSync } from 'node:child_process'
import type { LinkSpeed } from './options.ts'

/** Where hosts can be attached: the middle of the network, or a LAN with an uplink to it. */
export interface Place {
  readonly namespace: string
}

export interface Host {
  readonly namespace: string
  readonly addresses: readonly string[]
  /** Bytes that left and that arrived over its link, headers included. */
  readonly linkBytes: () => { readonly sent: number; readonly received: number }
}

export interface HostOptions {
  readonly addresses: readonly string[]
  /** Undefined is as fast as this machine can. */
  readonly link: LinkSpeed | undefined
  readonly place?: Place
  /** Length of the prefix that it shares with its LAN; else it is in a network of its own, as behind a router. */
  readonly prefix?: number
}

export interface Network extends Disposable {
  /** Beside everything: for the tracker. */
  readonly hub: Place & { readonly address: string }
  addLan(link: LinkSpeed): Place & Pick<Host, 'linkBytes'>
  addHost(options: HostOptions): Host
}

const PREFIX = 'updraft-lab-'
const BRIDGE = 'bridge'
const HUB_ADDRESS = '10.77.0.1'
const EVERYBODY = '10.77.0.0/16'

/** A packet burst of ten milliseconds: shorter ones cost more time of the machine than the shaping is worth. */
const BURST_SECONDS = 0.01
/** Home routers keep a tenth of a second and more. */
const QUEUE_SECONDS = 0.1
const BURST_BYTES_MIN = 16 * 1024

/** What most machines have, where this one has it; BBR measures by slowing down, which blurs short runs. */
const CONGESTION_CONTROL = 'cubic'

/** Errors: throws what iproute2 says. */
export const createNetwork = (): Network => {
  removeLeftovers()
  const namespaces: string[] = []
  let links = 0

  const addNamespace = (name: string): string => {
    const namespace = `${PREFIX}${process.pid}-${name}`
    run('ip', ['netns', 'add', namespace])
    namespaces.push(namespace)
    run('ip', ['-n', namespace, 'link', 'set', 'lo', 'up'])
    // Left out where the kernel lacks it: the run is still fair, since all contestants have the same.
    spawnSync('ip', [
      'netns',
      'exec',
      namespace,
      'sysctl',
      '-qw',
      `net.ipv4.tcp_congestion_control=${CONGESTION_CONTROL}`,
    ])
    return namespace
  }

  const addBridge = (name: string): string => {
    const namespace = addNamespace(name)
    run('ip', ['-n', namespace, 'link', 'add', BRIDGE, 'type', 'bridge'])
    run('ip', ['-n', namespace, 'link', 'set', BRIDGE, 'up'])
    return namespace
  }

  /** A cable from `inside` to the bridge of `place`; gives how to count what went over it. */
  const connect = (inside: string, place: Place, link: LinkSpeed | undefined): Host['linkBytes'] => {
    links += 1
    const [near, far] = ['uplink', `port${links}`]
    run('ip', ['link', 'add', near, 'netns', inside, 'type', 'veth', 'peer', 'name', far, 'netns', place.namespace])
    run('ip', ['-n', place.namespace, 'link', 'set', far, 'master', BRIDGE, 'up'])
    run('ip', ['-n', inside, 'link', 'set', near, 'up'])
    shape(inside, near, link?.up)
    shape(place.namespace, far, link?.down)
    return () => ({ sent: bytesThrough(inside, near), received: bytesThrough(place.namespace, far) })
  }

  const remove = (): void => {
    for (const namespace of namespaces.splice(0).reverse()) spawnSync('ip', ['netns', 'del', namespace])
  }

  try {
    const hub = { namespace: addBridge('hub'), address: HUB_ADDRESS }
    run('ip', ['-n', hub.namespace, 'addr', 'add', `${HUB_ADDRESS}/16`, 'dev', BRIDGE])
    return {
      hub,
      addLan: (link) => {
        const namespace = addBridge(`lan${namespaces.length}`)
        const linkBytes = connect(namespace, hub, link)
        run('ip', ['-n', namespace, 'link', 'set', 'uplink', 'master', BRIDGE])
        return { namespace, linkBytes }
      },
      addHost: ({ addresses, link, place = hub, prefix = 32 }) => {
        const namespace = addNamespace(`host${namespaces.length}`)
        const linkBytes = connect(namespace, place, link)
        for (const address of addresses)
          run('ip', ['-n', namespace, 'addr', 'add', `${address}/${prefix}`, 'dev', 'uplink'])
        run('ip', ['-n', namespace, 'route', 'add', EVERYBODY, 'dev', 'uplink'])
        return { namespace, addresses, linkBytes }
      },
      [Symbol.dispose]: remove,
    }
  } catch (error) {
    remove()
    throw error
  }
}

/** The command line that runs `command` on a machine of the network. */
export const commandIn = ({ namespace }: Place | Host, command: readonly string[]): readonly string[] => [
  'ip',
  'netns',
  'exec',
  namespace,
  ...command,
]

const shape = (namespace: string, device: string, bitsPerSecond: number | undefined): void => {
  if (bitsPerSecond === undefined) return
  const bytesPerSecond = bitsPerSecond / 8
  const burst = Math.max(BURST_BYTES_MIN, Math.round(bytesPerSecond * BURST_SECONDS))
  const limit = burst + Math.round(bytesPerSecond * QUEUE_SECONDS)
  const bucket = ['tbf', 'rate', `${Math.round(bitsPerSecond)}bit`, 'burst', `${burst}`, 'limit', `${limit}`]
  run('tc', ['-n', namespace, 'qdisc', 'add', 'dev', device, 'root', ...bucket])
}

const bytesThrough = (namespace: string, device: string): number => {
  const [discipline] = JSON.parse(
    run('tc', ['-n', namespace, '-s', '-j', 'qdisc', 'show', 'dev', device]),
  ) as readonly {
    readonly bytes?: number
  }[]
  return discipline?.bytes ?? 0
}

/** Of runs that were killed before they could tidy up. */
const removeLeftovers = (): void => {
  for (const line of run('ip', ['netns', 'list']).split('\n')) {
    const [name = ''] = line.split(' ')
    const owner = name.startsWith(PREFIX) ? Number(/^\d+/.exec(name.slice(PREFIX.length))?.[0]) : undefined
    if (owner !== undefined && !isRunning(owner)) spawnSync('ip', ['netns', 'del', name])
  }
}

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

const run = (program: string, args: readonly string[]): string => {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: 'utf8' })
  if (error !== undefined) throw error
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${stderr.trim()}`)
  return stdout
}
