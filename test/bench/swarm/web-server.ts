// The lab's web server: the files of one folder, whole or in ranges. `web-server.ts FOLDER HOST PORT`.
import { createReadStream, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { join, normalize } from 'node:path'

const [, , folder = '', host = '', port = ''] = process.argv

const server = createServer((request, response) => {
  const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://web').pathname))
  const file = join(folder, path)
  const found = statSync(file, { throwIfNoEntry: false })
  const size = found?.isFile() === true ? found.size : 0
  if (size === 0) {
    response.writeHead(404).end()
    return
  }
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? '')
  const [start, end] = range === null ? [0, size - 1] : [Number(range[1]), Math.min(Number(range[2]), size - 1)]
  const headers = { 'content-length': end - start + 1 }
  if (range === null) response.writeHead(200, headers)
  else response.writeHead(206, { ...headers, 'content-range': `bytes ${start}-${end}/${size}` })
  createReadStream(file, { start, end, highWaterMark: 256 * 1024 }).pipe(response)
})
server.listen(Number(port), host, () => process.stdout.write('{"ready":true}\n'))
process.stdin.on('end', () => process.exit())
process.stdin.resume()
