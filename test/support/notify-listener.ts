// A service manager's end of sd_notify: a unix datagram socket, which Node cannot open, so Python listens and passes on.
// Reads without room for descriptors, so the kernel closes the one that systemd-notify waits on, as systemd does.
import { spawn } from 'node:child_process'

export interface Heard {
  /** Unix time at which it came. */
  readonly atMs: number
  readonly message: Readonly<Record<string, string>>
}

export interface NotifyListener extends AsyncDisposable {
  readonly heard: readonly Heard[]
  /** Resolves once so many messages have this assignment (of any value, if none is given). */
  hears(name: string, value?: string, count?: number): Promise<void>
}

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
  let rest = ''
  const bound = new Promise<void>((resolve, reject) => {
    child.on('error', reject)
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        const said = JSON.parse(line) as Partial<Heard>
        if (said.message === undefined) resolve()
        else if (said.message.BARRIER === undefined) heard.push(said as Heard)
      }
      for (const look of waiting) look()
    })
  })
  await bound
  return {
    heard,
    hears: (name, value, count = 1) =>
      new Promise((resolve) => {
        const look = () => {
          const found = heard.filter(({ message }) => name in message && (value ?? message[name]) === message[name])
          if (found.length < count) return
          waiting.delete(look)
          resolve()
        }
        waiting.add(look)
        look()
      }),
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL')
      await ended
    },
  }
}
