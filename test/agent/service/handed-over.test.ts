// What a service manager hands over: read for this process only, and kept from those that it starts.
import { describe, expect, test } from '@jest/globals'
import { NOTHING_HANDED_OVER, takeHandedOver } from '@updraft/agent/service/handed-over'

const ALL = {
  NOTIFY_SOCKET: '/run/systemd/notify',
  WATCHDOG_USEC: '60000000',
  WATCHDOG_PID: '7',
  LISTEN_FDS: '1',
  LISTEN_PID: '7',
  LISTEN_FDNAMES: 'control',
}

test('everything is read, and then it is no longer in the environment', () => {
  const environment: Record<string, string> = { ...ALL, PATH: '/bin' }
  expect(takeHandedOver(environment, 7)).toEqual({
    notifySocket: '/run/systemd/notify',
    watchdogMs: 60_000,
    controlFd: 3,
  })
  expect(environment).toEqual({ PATH: '/bin' })
})

describe('nothing is handed over', () => {
  const cases: readonly (readonly [name: string, environment: Record<string, string>, not: object])[] = [
    ['by a shell', {}, NOTHING_HANDED_OVER],
    [
      'to another process',
      { ...ALL, WATCHDOG_PID: '8', LISTEN_PID: '8' },
      { watchdogMs: undefined, controlFd: undefined },
    ],
    ['to a process that is not named', { LISTEN_FDS: '1' }, { controlFd: undefined }],
    ['by zero', { ...ALL, WATCHDOG_USEC: '0', LISTEN_FDS: '0' }, { watchdogMs: undefined, controlFd: undefined }],
    [
      'by nonsense',
      { ...ALL, WATCHDOG_USEC: '1e9', LISTEN_FDS: '-1' },
      { watchdogMs: undefined, controlFd: undefined },
    ],
    ['by an empty name', { NOTIFY_SOCKET: '' }, NOTHING_HANDED_OVER],
  ]
  test.each(cases)('%s', (_, environment, not) => {
    expect(takeHandedOver({ ...environment }, 7)).toMatchObject(not)
  })
})
