// Two machines on a cable of their own, as network namespaces: a pair of addresses that are none of loopback, and no way to
// anywhere else. Stock BitTorrent clients do not speak to 127.0.0.1, nor to themselves. Needs root and iproute2.
import { execFileSync } from 'node:child_process'

export interface NetworkMachine {
  readonly address: string
  /** What runs a command on it. */
  readonly within: readonly string[]
}

export interface TwoMachines extends Disposable {
  readonly here: NetworkMachine
  readonly there: NetworkMachine
  /** Gives `here` one more address, from which it calls from now on: to `there`, another machine. */
  renumberHere(): void
}

const ip = (...args: string[]) => execFileSync('ip', args)
let made = 0

export const openTwoMachines = (): TwoMachines => {
  using undo = new DisposableStack()
  const machine = (number: number): NetworkMachine & { readonly name: string } => {
    const name = `updraft-test-${process.pid}-${made}-${number}`
    ip('netns', 'add', name)
    undo.defer(() => ip('netns', 'delete', name))
    return { name, address: `10.99.0.${number}`, within: ['ip', 'netns', 'exec', name] }
  }
  made += 1
  const [here, there] = [machine(1), machine(2)]
  ip('-n', here.name, 'link', 'add', 'cable', 'type', 'veth', 'peer', 'name', 'cable', 'netns', there.name)
  for (const { name, address } of [here, there]) {
    ip('-n', name, 'address', 'add', `${address}/24`, 'dev', 'cable')
    for (const device of ['lo', 'cable']) ip('-n', name, 'link', 'set', device, 'up')
  }
  const opened = undo.move()
  let number = 2
  return {
    here,
    there,
    renumberHere: () => {
      number += 1
      ip('-n', here.name, 'address', 'add', `10.99.0.${number}/24`, 'dev', 'cable')
      ip('-n', here.name, 'route', 'replace', '10.99.0.0/24', 'dev', 'cable', 'src', `10.99.0.${number}`)
    },
    [Symbol.dispose]: () => opened.dispose(),
  }
}
