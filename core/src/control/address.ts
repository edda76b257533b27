// Where a program asks an agent: on its socket, or on a port of this machine with the token of the agent. Reads no file.
import { join } from 'node:path'
import { UpdateError } from '../errors.ts'
import { type Environment, type Home, homeOf } from './home.ts'

/** The path of a socket, or a port of the loopback interface. */
export type ControlAddress = string | LoopbackAddress

export interface LoopbackAddress {
  /** `http://127.0.0.1:PORT`, without a slash at its end. */
  readonly url: string
  /** Read anew for each question: the token is another one after each start of the agent. */
  readonly tokenFile: string
}

/** Where an agent keeps the token of its control API while that is on a port. */
export const tokenFileOf = ({ stateDirectory }: Pick<Home, 'stateDirectory'>): string =>
  join(stateDirectory, 'control-token')

/**
 * `UPDRAFT_CONTROL` names the port, and `UPDRAFT_CONTROL_TOKEN_FILE` the file of its token, else that of the agent's home;
 * without the first it is the socket of that home.
 *
 * Errors: USAGE if it is not an address of this very machine, since the token would leave it unencrypted; as for `homeOf`.
 */
export const controlAddressOf = (environment: Environment): ControlAddress => {
  const home = homeOf(environment)
  if (!namesAddress(environment)) return home.socketPath
  const tokenFile = environment.UPDRAFT_CONTROL_TOKEN_FILE
  return {
    url: parseUrl(environment.UPDRAFT_CONTROL ?? ''),
    tokenFile: tokenFile === undefined || tokenFile === '' ? tokenFileOf(home) : tokenFile,
  }
}

/** Whoever names an agent means that one, and not what the own home knows of another. */
export const namesAddress = ({ UPDRAFT_CONTROL }: Environment): boolean =>
  UPDRAFT_CONTROL !== undefined && UPDRAFT_CONTROL !== ''

const parseUrl = (text: string): string => {
  const url = URL.parse(text)
  const isOwn = url?.protocol === 'http:' && ['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname)
  if (isOwn && url.port !== '' && url.href === `${url.origin}/`) return url.origin
  throw new UpdateError('USAGE', `UPDRAFT_CONTROL ${JSON.stringify(text)} is not a port of this machine`, {
    hint: 'use one such as http://127.0.0.1:8735; updraft-agent status tells which',
  })
}
