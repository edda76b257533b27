// What an origin says about its fleet: read as it is, and nothing that it could say does harm.
import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, test } from '@jest/globals'
import { LIMITS } from '@updraft/core/limits'
import { fetchFleet } from '../../extension/src/fleet.ts'

let answer: (response: ServerResponse, path: string) => void = () => {}
const server = createServer((request, response) => answer(response, request.url ?? ''))
let url = ''

beforeAll(async () => {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/acme/`
})

afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await once(server, 'close')
})

const { signal } = new AbortController()
const saying = (status: unknown) => {
  answer = (response, path) => {
    if (path === '/acme/status.json') response.end(JSON.stringify(status))
    else response.writeHead(404).end()
  }
  return fetchFleet(url, signal)
}
const line = (version: string, have: unknown = 12, fetching: unknown = 3) => ({
  products: [{ product: 'acme', platform: 'linux-x64', releases: [{ version, machines: { have, fetching } }] }],
})

test('says how many machines have which version, from the page beside the repository', async () => {
  expect(await saying({ ...line('1.1.0'), at: 'whenever', more: [] })).toEqual([
    { product: 'acme', platform: 'linux-x64', versions: [{ version: '1.1.0', have: 12, fetching: 3 }] },
  ])
})

test('a repository of plain files has no such page, and nothing is asked that is no web address', async () => {
  answer = (response) => response.writeHead(404).end('no')
  expect(await fetchFleet(url, signal)).toBeUndefined()
  for (const other of ['file:///etc/', 'no address', 'ftp://a.example/', 'http://me:secret@a.example/']) {
    expect(await fetchFleet(other, signal)).toBeUndefined()
  }
})

test('names are cleaned', async () => {
  const [first] = (await saying(line('$(error) [a](command:b)\u202E\n'))) ?? []
  expect(first?.versions[0]?.version).toBe('$ (error) [a] (command:b)')
})

test.each([
  ['no object', 7],
  ['a negative count', line('1.0.0', -1)],
  ['a count that is none', line('1.0.0', '<img>')],
  ['too many rows', { products: Array(LIMITS.originStatusRowsMax + 1).fill(line('1.0.0').products[0]) }],
])('refuses %s', async (_, status) => {
  await expect(saying(status)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
})

test('refuses what is too long, before it has all of it', async () => {
  let sentBytes = 0
  answer = (response) => {
    const send = (): void => {
      while (!response.destroyed) {
        sentBytes += 65_536
        if (!response.write(Buffer.alloc(65_536, 0x20))) return
      }
    }
    response.on('drain', send)
    send()
  }
  await expect(fetchFleet(url, signal)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
  expect(sentBytes).toBeLessThan(LIMITS.originStatusBytes * 32) // What fits into the buffers on the way, and no more.
})

test('goes nowhere else', async () => {
  const asked: string[] = []
  answer = (response, path) => {
    asked.push(path)
    response.writeHead(302, { location: '/elsewhere' }).end()
  }
  await expect(fetchFleet(url, signal)).rejects.toMatchObject({ code: 'SOURCE_UNREACHABLE' })
  expect(asked).toEqual(['/acme/status.json'])
})

test('stops when nobody looks any more', async () => {
  const looking = new AbortController()
  answer = () => looking.abort() // Never answers.
  await expect(fetchFleet(url, looking.signal)).rejects.toMatchObject({ code: 'ABORTED' })
})
