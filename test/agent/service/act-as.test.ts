// Which user a command acts as on a machine with a service.
import { expect, test } from '@jest/globals'
import { type Caller, userToActAs } from '@updraft/agent/service/act-as'

const SERVICE = { uid: 991, gid: 992 }
const ROOT = { uid: 0, gid: 0 }
const caller = (change: Partial<Caller>): Caller => ({ uid: 0, environment: {}, command: 'install', ...change })

test('root acts as the user whom the agent of the machine belongs to', () => {
  const asked: string[] = []
  const user = userToActAs(caller({}), (directory) => {
    asked.push(directory)
    return SERVICE
  })
  expect([user, asked]).toEqual([SERVICE, ['/var/lib/updraft']])
})

const stays: readonly (readonly [name: string, change: Partial<Caller>, owner: typeof ROOT | undefined])[] = [
  ['somebody else stays who they are', { uid: 1_000 }, SERVICE],
  ['a system without users has none to change to', { uid: undefined }, SERVICE],
  ['whoever has a home of their own uses that', { environment: { UPDRAFT_HOME: '/u' } }, SERVICE],
  ['the service itself is made by root', { command: 'service' }, SERVICE],
  ['an agent that root runs stays root’s', {}, ROOT],
  ['before there is an agent there is nobody to be', {}, undefined],
]
test.each(stays)('%s', (_, change, owner) => {
  expect(userToActAs(caller(change), () => owner)).toBeUndefined()
})
