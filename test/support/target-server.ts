// A server of signed files on loopback, for tests of what fetches them: by path, each connection closed after its answer.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface TargetServer extends AsyncDisposable {
  /** With a slash at its end. */
  readonly url: string
  /** What there is, by path from the first slash on; everything else is 404. */
  readonly files: Map<string, Uint8Array>
  /** Paths that were asked for, in order. */
  readonly asked: string[]
}

export const openTargetServer = async (): Promise<TargetServer> => {
  const files = new Map<string, Uint8Array>()
  const asked: string[] = []
  const server = createServer(({ url = '' }, response) => {
    asked.push(url)
    const file = files.get(url)
    response.writeHead(file === undefined ? 404 : 200, { connection: 'close' }).end(file)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    files,
    asked,
    [Symbol.asyncDispose]: async () => {
      server.close()
      await once(server, 'close')
    },
  }
}
