// Who the settings let in besides: a port of this machine that comes and goes with them, each time with another token, and a
// group on the socket.
import { existsSync, lstatSync, mkdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import { type Control, serveControl } from '@updraft/agent/control'
import { silentLog } from '@updraft/agent/log'
import { parseSettings } from '@updraft/agent/settings'
import { openStore, type Store } from '@updraft/agent/store'
import { controlClient } from '@updraft/core/control/client'
import { bareHandlers } from '../support/control-handlers.ts'
import { type TemporaryHome, temporaryHome } from '../support/fake-agent-parts.ts'
import { describeWith, needsRoot } from '../support/needs.ts'

let home: TemporaryHome
let store: Store
let control: Control
let tokenFile: string
let warned: string[]

beforeEach(async () => {
  home = temporaryHome()
  mkdirSync(home.stateDirectory)
  store = openStore(home.stateDirectory)
  tokenFile = join(home.stateDirectory, 'control-token')
  warned = []
  control = await serveControl(home.socketPath, bareHandlers(store.events), {
    tokenFile,
    log: { ...silentLog, warn: (message) => void warned.push(message) },
  })
})
afterEach(async () => {
  await control[Symbol.asyncDispose]()
  store[Symbol.dispose]()
  home[Symbol.dispose]()
})

const apply = (settings: object) =>
  control.apply(parseSettings(JSON.stringify({ control: settings }), 'agent.json').control)
const urlNow = async () => (await controlClient(home.socketPath).status()).agent.controlUrl
const tokenNow = () => readFileSync(tokenFile, 'utf8').trim()

describe('the port', () => {
  test('is closed until the settings open it, and is told then', async () => {
    await apply({})
    expect([await urlNow(), existsSync(tokenFile)]).toEqual([undefined, false])
    await apply({ loopback: {} })
    const url = (await urlNow()) ?? ''
    expect((await controlClient({ url, tokenFile }).status()).agent.controlUrl).toBe(url)
  })

  test('that is closed again answers nobody, and its token is gone', async () => {
    await apply({ loopback: {} })
    const url = (await urlNow()) ?? ''
    await apply({})
    expect([await urlNow(), existsSync(tokenFile)]).toEqual([undefined, false])
    await expect(fetch(url)).rejects.toThrow()
  })

  test('opened anew has another token; settings that stay the same leave it open', async () => {
    await apply({ loopback: {} })
    const [url, token] = [await urlNow(), tokenNow()]
    await apply({ loopback: { port: 0 } })
    expect([await urlNow(), tokenNow()]).toEqual([url, token])
    await apply({ loopback: { origins: ['http://localhost:3000'] } })
    expect(tokenNow()).not.toBe(token)
    const old = await fetch(`${await urlNow()}/v1/status`, { headers: { authorization: `Bearer ${token}` } })
    expect([old.status, ((await old.json()) as { code: string }).code]).toEqual([401, 'TOKEN_INVALID'])
  })

  test('can be on ::1', async () => {
    await apply({ loopback: { address: '::1' } })
    const url = (await urlNow()) ?? ''
    expect(url).toMatch(/^http:\/\/\[::1\]:\d+$/)
    expect((await controlClient({ url, tokenFile }).status()).apiVersion).toBe(1)
  })

  test('that somebody else has is refused, and the one from before is open again', async () => {
    const taken = createServer().listen({ port: 0, host: '127.0.0.1' })
    await new Promise((resolve) => taken.on('listening', resolve))
    const { port } = taken.address() as { port: number }
    await expect(apply({ loopback: { port } })).rejects.toMatchObject({ code: 'PORT_IN_USE', hint: expect.any(String) })
    expect([await urlNow(), existsSync(tokenFile)]).toEqual([undefined, false])
    await apply({ loopback: {} })
    await expect(apply({ loopback: { port } })).rejects.toMatchObject({ code: 'PORT_IN_USE' })
    expect((await controlClient({ url: (await urlNow()) ?? '', tokenFile }).status()).apiVersion).toBe(1)
    await new Promise((resolve) => taken.close(resolve))
  })

  test.each([
    ['every page', { origins: ['*'] }, 'control.loopback.origins.0: "*" is not an origin'],
    ['a page without an origin', { origins: ['null'] }, '"null" is not an origin'],
    ['an address with a path', { origins: ['http://localhost:3000/'] }, 'is not an origin'],
    ['an address of the network', { address: '0.0.0.0' }, 'control.loopback.address: '],
    ['a port that is none', { port: 70_000 }, 'control.loopback.port: '],
  ])('is not opened for %s', (_, loopback, message) => {
    expect(() => parseSettings(JSON.stringify({ control: { loopback } }), 'agent.json')).toThrow(message)
  })
})

describeWith([needsRoot], 'the group of the socket', () => {
  const modeAndGroup = () => {
    const { mode, gid } = lstatSync(home.socketPath)
    return [mode & 0o777, gid]
  }

  test('is the one of the settings, and nobody is let in without', async () => {
    await apply({ socketGroup: 'nogroup' })
    expect(modeAndGroup()).toEqual([0o660, 65_534])
    expect(warned).toEqual([`members of nogroup cannot ask: they may not pass through ${home.root}`])
    await apply({})
    expect(modeAndGroup()[0]).toBe(0o600)
  })

  test('that does not exist is refused, and the socket stays closed', async () => {
    await expect(apply({ socketGroup: 'no-such-group' })).rejects.toMatchObject({
      code: 'SETTINGS_INVALID',
      message: expect.stringContaining('no-such-group'),
    })
    expect(modeAndGroup()[0]).toBe(0o600)
  })
})
