// A service manager's end of sd_notify: a unix datagram socket, which Node cannot open, so Python listens and passes on.
// Reads without room for descriptors, so the kernel closes the one that systemd-notify waits on, as systemd does.
import { execFile, spawn } from 'node:child_process'
import { promisify } from 'node:util'

export interface Heard {
  /** Unix time at which it came. */
  readonly atMs: number
  readonly message: Readonly<Record<string, string>>
}

export interface NotifyListener extends AsyncDisposable {
  readonly heard: readonly Heard[]
  /** Resolves once so many messages have this assignment (of any value, if none is given). */
  hears(name: string, value?: string, count?: number): Promise<void>
  /** Resolves once everything was heard that was sent before. */
  caughtUp(): Promise<void>
}

/** What only the test itself sends, to know that everything before it has come. */
const MARK = 'X_TEST'

const LISTENER = `
import json, socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('{}', flush=True)
while True:
    text = s.recv(65536).decode()
    print(json.dumps({'atMs': time.time() * 1000, 'message': dict(l.split('=', 1) for l in text.split('\\n') if l)}), flush=True)
`

export const listenForNotify = async (path: string): Promise<NotifyListener> => {
  const child = spawn('python3', ['-c', LISTENER, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<void>((resolve) => child.on('close', () => resolve()))
  const heard: Heard[] = []
  const waiting = new Set<() => void>()
  let [marks, lastMark] = [0, undefined as string | undefined]
  let rest = ''
  const bound = new Promise<void>((resolve, reject) => {
    child.on('error', reject)
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const said = JSON.parse(line) as Partial<Heard>
        if (said.message === undefined) resolve()
        else if (MARK in said.message) lastMark = said.message[MARK]
        else if (said.message.BARRIER === undefined) heard.push(said as Heard)
      }
      for (const look of waiting) look()
    })
  })
  await bound
  const whenSo = (holds: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const look = () => {
        if (!holds()) return
        waiting.delete(look)
        resolve()
      }
      waiting.add(look)
      look()
    })
  return {
    heard,
    hears: (name, value, count = 1) =>
      whenSo(() => {
        const found = heard.filter(({ message }) => name in message && (value ?? message[name]) === message[name])
        return found.length >= count
      }),
    caughtUp: async () => {
      marks += 1
      const mark = `${marks}`
      await promisify(execFile)('systemd-notify', [`${MARK}=${mark}`], { env: { ...process.env, NOTIFY_SOCKET: path } })
      await whenSo(() => lastMark === mark)
    },
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}
