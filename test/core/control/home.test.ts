// Where an agent lives, and where its clients look for it: both from the environment, in the same way.
import { expect, test } from '@jest/globals'
import { homeOf } from '@updraft/core/control/home'

const cases: readonly (readonly [name: string, environment: Record<string, string>, uid: number, expected: object])[] =
  [
    [
      'UPDRAFT_HOME holds everything, whoever runs it',
      { UPDRAFT_HOME: '/u', HOME: '/home/me', XDG_CONFIG_HOME: '/c' },
      0,
      { configDirectory: '/u', stateDirectory: '/u/state', dataDirectory: '/u', socketPath: '/u/agent.sock' },
    ],
    [
      'root uses the places of the system',
      { HOME: '/root', XDG_CONFIG_HOME: '/c' },
      0,
      {
        configDirectory: '/etc/updraft',
        stateDirectory: '/var/lib/updraft/state',
        dataDirectory: '/var/lib/updraft',
        socketPath: '/run/updraft/agent.sock',
      },
    ],
    [
      'everyone else uses the XDG places',
      { HOME: '/home/me', XDG_CONFIG_HOME: '/c', XDG_STATE_HOME: '/s', XDG_DATA_HOME: '/d', XDG_RUNTIME_DIR: '/r' },
      1000,
      {
        configDirectory: '/c/updraft',
        stateDirectory: '/s/updraft',
        dataDirectory: '/d/updraft',
        socketPath: '/r/updraft-agent.sock',
      },
    ],
    [
      'and never the folder that somebody happens to be in',
      { HOME: '/home/me', XDG_CONFIG_HOME: '.', XDG_STATE_HOME: 'state', XDG_DATA_HOME: '../d', XDG_RUNTIME_DIR: '' },
      1000,
      {
        configDirectory: '/home/me/.config/updraft',
        stateDirectory: '/home/me/.local/state/updraft',
        dataDirectory: '/home/me/.local/share/updraft',
        socketPath: '/home/me/.local/state/updraft/updraft-agent.sock',
      },
    ],
    [
      'or their defaults',
      { HOME: '/home/me' },
      1000,
      {
        configDirectory: '/home/me/.config/updraft',
        stateDirectory: '/home/me/.local/state/updraft',
        dataDirectory: '/home/me/.local/share/updraft',
        socketPath: '/home/me/.local/state/updraft/updraft-agent.sock',
      },
    ],
    [
      "UPDRAFT_SYSTEM is for whoever is not root and means the system's places",
      { UPDRAFT_SYSTEM: '1', HOME: '/home/me', XDG_STATE_HOME: '/s' },
      1000,
      { configDirectory: '/etc/updraft', dataDirectory: '/var/lib/updraft', socketPath: '/run/updraft/agent.sock' },
    ],
    [
      'but a home of its own comes first',
      { UPDRAFT_SYSTEM: '1', UPDRAFT_HOME: '/u' },
      1000,
      { configDirectory: '/u', socketPath: '/u/agent.sock' },
    ],
    ['an empty UPDRAFT_HOME is none', { UPDRAFT_HOME: '', HOME: '/home/me' }, 0, { configDirectory: '/etc/updraft' }],
  ]

test.each(cases)('%s', (_, environment, uid, expected) => {
  expect(homeOf(environment, uid)).toMatchObject(expected)
})

test('a socket whose path the system cannot hold is refused, with what to do', () => {
  expect(() => homeOf({ UPDRAFT_HOME: `/${'x'.repeat(100)}` }, 1000)).toThrow(
    expect.objectContaining({ code: 'USAGE', hint: expect.stringContaining('UPDRAFT_HOME') }),
  )
})
