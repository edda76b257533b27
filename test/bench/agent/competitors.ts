// The programs from Debian that the agent is measured beside, with settings folders of their own, and nothing on that would
// look for anybody: no DHT, no local discovery, no relays.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { isInstalled } from '../delta/measured.ts'
import { freePort } from '../free-port.ts'
import type { Seeded } from './content.ts'

export interface Daemon extends AsyncDisposable {
  readonly pid: number
  readonly toFirstAnswerMs: number
}

export interface Competitor {
  readonly name: string
  readonly program: string
  /** Starts it on this content, in a folder of its own that it may fill, and waits until it answers over HTTP. */
  start(content: readonly Seeded[], folder: string): Promise<Daemon>
}

const transmission: Competitor = {
  name: 'transmission-daemon',
  program: 'transmission-daemon',
  start: async (content, folder) => {
    const [port, peerPort] = [await freePort(), await freePort()]
    await mkdir(join(folder, 'torrents'), { recursive: true })
    const settings = {
      'bind-address-ipv4': '127.0.0.1',
      'dht-enabled': false,
      'download-dir': content[0]?.directory ?? folder,
      'incomplete-dir-enabled': false,
      'lpd-enabled': false,
      'peer-port': peerPort,
      'pex-enabled': false,
      'port-forwarding-enabled': false,
      'rpc-bind-address': '127.0.0.1',
      'rpc-port': port,
      'rpc-whitelist-enabled': false,
      'start-added-torrents': true,
      'trash-original-torrent-files': false,
      'utp-enabled': false,
    }
    await writeFile(join(folder, 'settings.json'), JSON.stringify(settings))
    // What lies there at the start is taken up, and its files are hashed.
    for (const { metainfo } of content)
      await writeFile(join(folder, 'torrents', `${metainfo.infoHash}.torrent`), metainfo.bytes)
    return launch(
      ['transmission-daemon', '--foreground', '--config-dir', folder],
      `http://127.0.0.1:${port}/transmission/rpc`,
    )
  },
}

const syncthing: Competitor = {
  name: 'syncthing',
  program: 'syncthing',
  start: async (content, folder) => {
    const [port, listenPort] = [await freePort(), await freePort()]
    const generate = spawn('syncthing', ['generate', '--home', folder, '--skip-port-probing', '--no-default-folder'], {
      stdio: 'ignore',
    })
    const [code] = await once(generate, 'exit')
    if (code !== 0) throw new Error(`syncthing generate ended with ${code}`)
    const folders = content.map(({ metainfo: { name }, directory }) => {
      const path = join(directory, name)
      return `<folder id="${name}" label="${name}" path="${path}" type="sendreceive" rescanIntervalS="3600" fsWatcherEnabled="true"><markerName>index</markerName></folder>`
    })
    await writeFile(
      join(folder, 'config.xml'),
      `<configuration version="36">
${folders.join('\n')}
<gui enabled="true" tls="false"><address>127.0.0.1:${port}</address></gui>
<options><listenAddress>tcp://127.0.0.1:${listenPort}</listenAddress><globalAnnounceEnabled>false</globalAnnounceEnabled>
<localAnnounceEnabled>false</localAnnounceEnabled><relaysEnabled>false</relaysEnabled><natEnabled>false</natEnabled>
<crashReportingEnabled>false</crashReportingEnabled><urAccepted>-1</urAccepted><startBrowser>false</startBrowser>
<autoUpgradeIntervalH>0</autoUpgradeIntervalH></options>
</configuration>
`,
    )
    return launch(
      ['syncthing', 'serve', '--home', folder, '--no-browser', '--no-upgrade', '--skip-port-probing'],
      `http://127.0.0.1:${port}/rest/noauth/health`,
    )
  },
}

export const COMPETITORS: readonly Competitor[] = [transmission, syncthing].filter(({ program }) =>
  isInstalled(program),
)

/** Any answer is an answer: what it says of tokens is not asked. */
const launch = async ([program = '', ...args]: readonly string[], url: string): Promise<Daemon> => {
  const begin = performance.now()
  const child = spawn(program, args, { stdio: 'ignore' })
  const ended = once(child, 'exit')
  for (;;) {
    const answered = await fetch(url).catch(() => undefined)
    await answered?.body?.cancel()
    if (answered !== undefined) break
    if (child.exitCode !== null) throw new Error(`${program} ended with ${child.exitCode} before it answered`)
    await setTimeout(5)
  }
  return {
    pid: child.pid ?? 0,
    toFirstAnswerMs: performance.now() - begin,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      const kill = globalThis.setTimeout(() => child.kill('SIGKILL'), 20_000)
      await ended
      clearTimeout(kill)
    },
  }
}
