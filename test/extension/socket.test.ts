import { describe, expect, test } from '@jest/globals'
import { placeOf, socketsToTry } from '../../extension/src/socket.ts'

const ADA = 1_000
const MACHINE = '/run/updraft/agent.sock'

describe('socketsToTry', () => {
  test('tries the agent of the user, then the one of the machine', () => {
    expect(socketsToTry('', { HOME: '/home/ada', XDG_RUNTIME_DIR: '/run/user/1000' }, ADA)).toEqual([
      '/run/user/1000/updraft-agent.sock',
      MACHINE,
    ])
  })

  test('tries the agent of the machine once when the user is root', () => {
    expect(socketsToTry('', { HOME: '/root' }, 0)).toEqual([MACHINE])
  })

  test('UPDRAFT_HOME names the only agent to try', () => {
    expect(socketsToTry('', { UPDRAFT_HOME: '/srv/updraft' }, ADA)).toEqual(['/srv/updraft/agent.sock'])
  })

  test('the setting names the only agent to try, before UPDRAFT_HOME', () => {
    expect(socketsToTry('/srv/a.sock', { UPDRAFT_HOME: '/srv/updraft' }, ADA)).toEqual(['/srv/a.sock'])
  })

  test('refuses a setting that is not an absolute path', () => {
    expect(() => socketsToTry('a.sock', {}, ADA)).toThrow(expect.objectContaining({ code: 'USAGE' }))
  })

  test('refuses a path that is longer than a socket may have', () => {
    expect(() => socketsToTry('', { UPDRAFT_HOME: `/${'x'.repeat(200)}` }, ADA)).toThrow(
      expect.objectContaining({ code: 'USAGE' }),
    )
  })
})

describe('placeOf', () => {
  const environment = { HOME: '/home/ada', XDG_RUNTIME_DIR: '/run/user/1000' }

  test('knows the settings of the own agent and of that of the machine, and which is whose', () => {
    expect(placeOf('/run/user/1000/updraft-agent.sock', environment, ADA)).toEqual({
      settingsFile: '/home/ada/.config/updraft/agent.json',
      isOwn: true,
    })
    expect(placeOf(MACHINE, environment, ADA)).toEqual({ settingsFile: '/etc/updraft/agent.json', isOwn: false })
  })

  test('knows nothing of a socket that only a setting names', () => {
    expect(placeOf('/somewhere/else.sock', environment, ADA)).toBeUndefined()
  })
})
