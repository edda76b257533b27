// Nothing of ours is needed to carry our bytes: nginx serves a repository, opentracker tracks, and each stock client fetches a
// release from our agent and seeds it to another one, with no origin at all. All are real programs of Debian.
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { parseMetainfo } from '@updraft/core/swarm/metainfo'
import { openRepository } from '../../publisher/src/repository.ts'
import { runForJson } from '../../scripts/demo/program.ts'
import { changeSettings, openStage, type Stage, type StageAgent } from '../../scripts/demo/stage.ts'
import { type NetworkMachine, openTwoMachines, type TwoMachines } from '../support/namespace.ts'
import { describeWith, needsProgram, needsRoot } from '../support/needs.ts'
import { processesNaming } from '../support/processes.ts'
import { type Program, startCommand } from '../support/programs.ts'
import { makeSmallBuild } from '../support/small-build.ts'

/** In a namespace of our own, so nobody else has them. */
const WEB_PORT = 8_080
const TRACKER_PORT = 6_969
const CLIENT_PORT = 51_413

interface Client {
  readonly name: string
  readonly program: string
  /** Fetches the torrent of the file `torrent` into `folder`, and seeds it. `home` is for what the client keeps. */
  readonly command: (place: {
    readonly torrent: string
    readonly folder: string
    readonly home: string
    readonly address: string
  }) => readonly string[]
}

const CLIENTS: readonly Client[] = [
  {
    name: 'transmission',
    program: 'transmission-cli',
    command: ({ torrent, folder, home }) => [
      'transmission-cli',
      '-g',
      home,
      '-w',
      folder,
      '-p',
      `${CLIENT_PORT}`,
      '-M',
      torrent,
    ],
  },
  {
    name: 'aria2',
    program: 'aria2c',
    command: ({ torrent, folder }) => [
      'aria2c',
      '--no-conf',
      '--enable-dht=false',
      '--bt-enable-lpd=false',
      '--seed-ratio=0.0',
      `--listen-port=${CLIENT_PORT}`,
      `--dir=${folder}`,
      torrent,
    ],
  },
  {
    name: 'libtorrent',
    program: 'python3',
    command: ({ torrent, folder, address }) => [
      '/usr/bin/python3', // The system's, which has Debian's libtorrent, whatever else is in the path.
      join(import.meta.dirname, '../support/libtorrent-client.py'),
      torrent,
      folder,
      address,
      `${CLIENT_PORT}`,
    ],
  },
]

const needs = [needsRoot, ...['ip', 'nginx', 'opentracker', ...CLIENTS.map(({ program }) => program)].map(needsProgram)]

describeWith(needs, 'stock programs', () => {
  let directory: string
  let machines: TwoMachines
  let stage: Stage
  let first: StageAgent
  let torrentFile: string
  let totalBytes: number
  const services: Program[] = []

  const start = ({ within }: NetworkMachine, command: readonly string[]): Program => {
    const [file = '', ...args] = [...within, ...command]
    return startCommand(file, args, { environment: { HOME: directory } })
  }
  const url = () => `http://${machines.here.address}:${WEB_PORT}/`

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'ud-'))
    machines = openTwoMachines()
    stage = await openStage({ directory: join(directory, 's'), product: 'acme', within: machines.here.within })
    const tracker = `http://${machines.here.address}:${TRACKER_PORT}/announce`
    const init = [
      'init',
      stage.repository,
      '--product',
      'acme',
      '--url',
      url(),
      '--tracker',
      tracker,
      '--no-passphrase',
    ]
    await runForJson('updraft-publisher', init)
    await stage.publish(await makeSmallBuild(join(directory, 'build'), 1), '1.0.0')
    const [release] = (await openRepository(stage.repository)).releases
    torrentFile = release?.metainfo.file ?? ''
    totalBytes = parseMetainfo(await readFile(torrentFile)).lengthBytes
    await writeFile(join(directory, 'nginx.conf'), nginxConf(directory, stage.repository))
    services.push(
      start(machines.here, ['nginx', '-c', join(directory, 'nginx.conf'), '-e', join(directory, 'nginx.log')]),
    )
    // Debian's knows only what it is told, and drops its rights and its root before it reads that.
    const known = join(directory, 'known')
    await writeFile(known, `${release?.release.torrent.btih}\n`)
    await chmod(directory, 0o755)
    services.push(
      start(machines.here, [
        'opentracker',
        '-i',
        machines.here.address,
        '-p',
        `${TRACKER_PORT}`,
        '-d',
        '/',
        '-w',
        known,
      ]),
    )
    const query = `info_hash=${release?.release.torrent.btih.replace(/../g, '%$&')}&peer_id=${'-XX0001-'.padEnd(20, 'x')}&port=1&left=1`
    await whenServed(machines.here, [`${url()}metadata/1.root.json`, `${tracker}?${query}`], services)
    first = await stage.agent('first', url())
  }, 60_000)

  afterAll(async () => {
    await stage[Symbol.asyncDispose]()
    for (const service of services) await service[Symbol.asyncDispose]()
    machines[Symbol.dispose]()
    expect(processesNaming(directory)).toEqual([])
    await rm(directory, { recursive: true, force: true })
  })

  test('nginx serves metadata, targets and, as a web seed, a bundle', async () => {
    await first.start()
    const { bytes } = await first.whenInstalled('1.0.0')
    expect(bytes).toEqual({ peers: 0, origin: totalBytes, reused: 0 })
    await first.stop()
    await writeFile(join(directory, 'closed'), '') // From now on there are no bundles.
  }, 90_000)

  test.each(CLIENTS)(
    '$name fetches a release from our agent, and seeds it to another, found through opentracker',
    async ({ name, command }) => {
      const folder = join(directory, name)
      const home = join(directory, `${name}-home`)
      await mkdir(folder)
      await mkdir(home)
      // Over uTP, which agents do not speak, Transmission 3.00 begins with a key for encryption. When that is not answered, or
      // refused, it turns to TCP with the key still in its buffer before the plain handshake, and then waits for minutes.
      await writeFile(join(home, 'settings.json'), JSON.stringify({ 'utp-enabled': false }))
      await first.start()
      await using client = start(
        machines.there,
        command({ torrent: torrentFile, folder, home, address: machines.there.address }),
      )
      const whole = await readFile(join(stage.repository, 'bundles/acme_1.0.0_any/pack'))
      await untilSame(join(folder, 'acme_1.0.0_any/pack'), whole, client)
      await first.stop()

      // Transmission knows peers by their address alone, and never unchokes one where it has met a seed before.
      machines.renumberHere()
      const second = await stage.agent(`after-${name}`, url())
      await changeSettings(second, (text) => text.replace('"stallTimeoutSeconds": 20', '"stallTimeoutSeconds": 90'))
      await second.start()
      const { bytes } = await second.whenInstalled('1.0.0')
      expect(bytes).toEqual({ peers: totalBytes, origin: 0, reused: 0 })
      await second.stop()
    },
    300_000,
  )
})

/** Once nginx gives the root, and opentracker knows the torrent: it answers before it has read which ones it may know. */
const UNTIL_SERVED = `
  const [root, announce] = process.argv.slice(1)
  const holds = (url, isRight) => fetch(url).then(async (answer) => answer.ok && isRight(await answer.text()), () => false)
  const again = () => new Promise((next) => setTimeout(next, 20))
  while (!(await holds(root, (text) => text.includes('"root"')))) await again()
  while (!(await holds(announce, (text) => text.includes('interval')))) await again()
  await fetch(announce + '&event=stopped')`

const whenServed = async (
  { within: [enter = '', ...args] }: NetworkMachine,
  urls: readonly string[],
  services: readonly Program[],
): Promise<void> => {
  const asking = startCommand(enter, [...args, process.execPath, '--input-type=module', '-e', UNTIL_SERVED, ...urls])
  const ended = services.map(({ ended }) => ended.then(({ stderr }) => Promise.reject(new Error(stderr))))
  const asked = asking.ended.then(({ code, stderr }) => {
    if (code !== 0) throw new Error(stderr)
  })
  await Promise.race([asked, ...ended]).finally(() => {
    for (const service of ended) service.catch(() => {}) // They end when the tests do.
    asking.child.kill()
  })
}

const untilSame = async (path: string, bytes: Buffer, client: Program): Promise<void> => {
  // Transmission begins with a key for encryption. It calls a peer again after 10 s, and after a second failure after two minutes.
  for (const deadline = Date.now() + 200_000; Date.now() < deadline; await delay(100)) {
    const there = await readFile(path).catch(() => undefined)
    if (there?.equals(bytes)) return
    if (client.child.exitCode !== null) break
  }
  client.child.kill()
  const { stdout, stderr } = await client.ended
  throw new Error(`it did not fetch the release: ${stdout.slice(-2_000)}${stderr.slice(-2_000)}`)
}

const nginxConf = (directory: string, repository: string): string => `
daemon off;
master_process off;
pid ${join(directory, 'nginx.pid')};
events { }
http {
  access_log off;
  client_body_temp_path ${directory}/body; proxy_temp_path ${directory}/proxy; fastcgi_temp_path ${directory}/fastcgi;
  uwsgi_temp_path ${directory}/uwsgi; scgi_temp_path ${directory}/scgi;
  server {
    listen ${WEB_PORT};
    location ~ ^/(metadata|targets)/ { root ${repository}; }
    location /bundles/ {
      if (-f ${join(directory, 'closed')}) { return 404; }
      root ${repository};
    }
  }
}
`
