// Whether what goes over the network costs its owner: as the settings say, or as NetworkManager does, which guesses from the
// kind of device and what DHCP tells. Asked with programs that the system has, for a bounded time; whoever cannot say leaves
// it unknown. Sends nothing.
import { LIMITS } from '@updraft/core/limits'
import { type HookOptions, runHook } from '../hook.ts'
import type { MeteredSetting } from '../settings/metered.ts'
import type { ProgramCommand } from '../settings/program.ts'

export interface MeteredOptions {
  readonly setting: MeteredSetting
  /** The same for all looks of one asker of one agent, and of no other: what carries it is ended with the program. */
  readonly mark: string
  readonly askNetworkManager?: ProgramCommand
}

/** Undefined if nobody knows. Never fails. */
export const readMetered = async ({
  setting,
  mark,
  askNetworkManager = BUSCTL,
}: MeteredOptions): Promise<boolean | undefined> => {
  if (setting === 'always') return true
  if (setting === 'never') return false
  const options: HookOptions = {
    directory: '/',
    environment: {},
    mark,
    timeMs: LIMITS.meteredTimeoutMs,
    atTheEnd: 'kill',
    signal: new AbortController().signal,
  }
  const { ending, lastLine } = await runHook(setting === 'auto' ? askNetworkManager : setting.command, options)
  if (ending.kind !== 'exit') return undefined
  if (setting === 'auto') return ending.code === 0 ? STATES.get(lastLine) : undefined
  return ending.code === 0 ? true : ending.code === 1 ? false : undefined
}

/** Starts no service that does not run. */
const BUSCTL: ProgramCommand = [
  '/usr/bin/busctl',
  '--system',
  '--auto-start=no',
  '--timeout=2',
  'get-property',
  'org.freedesktop.NetworkManager',
  '/org/freedesktop/NetworkManager',
  'org.freedesktop.NetworkManager',
  'Metered',
]

/**
 * Of the best default route; a guess counts, as it does elsewhere.
 *
 * Source: NetworkManager, D-Bus API, NMMetered: yes, no, guessed yes, guessed no. 0 is unknown.
 */
const STATES: ReadonlyMap<string, boolean> = new Map([
  ['u 1', true],
  ['u 2', false],
  ['u 3', true],
  ['u 4', false],
])
