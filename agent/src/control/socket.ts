// The socket of the control API: taken over from an agent that was killed, bound so that nobody else can ever open it, and
// opened to a group if the settings say so. Never follows a link, and never removes anything that is not a dead socket.
import { execFile } from 'node:child_process'
import { chmod, lstat, rm, stat } from 'node:fs/promises'
import type { Server } from 'node:http'
import { connect } from 'node:net'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { fromFileSystem, systemCodeOf, UpdateError } from '@updraft/core/errors'
import { makeDirectory } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'

/**
 * Lets `server` listen at `path`. The caller holds the lock of the home: a socket that nobody answers on is a remainder.
 *
 * Errors: AGENT_RUNNING if an agent answers there, PERMISSION if something else than a socket is in the way, IO.
 */
export const listenAt = async (server: Server, path: string): Promise<void> => {
  await makeDirectory(dirname(path), 0o700)
  await removeStaleSocket(path)
  await listen(server, path)
}

/** Closing the server closes the descriptor and leaves the path of the socket alone. */
export const listenOn = (server: Server, fd: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('listening', resolve)
    server.once('error', (error) => reject(fromFileSystem(error, `cannot listen on the socket handed over as ${fd}`)))
    server.listen({ fd })
  })

/**
 * Opens the socket to the members of a group, or with undefined to its owner alone. Answers with a folder that they cannot
 * pass through, if there is one.
 *
 * Errors: SETTINGS_INVALID if there is no such group; PERMISSION if the agent's user is not in it; IO.
 */
export const openToGroup = async (path: string, group: string | undefined): Promise<string | undefined> => {
  await protect(path, 0o600) // Before it belongs to others.
  if (group === undefined) return undefined
  await changeGroup(path, group)
  await protect(path, 0o660)
  const directory = dirname(path)
  const { mode } = await stat(directory)
  return (mode & 0o011) === 0 ? directory : undefined
}

/** By its name, which Node cannot look up: the program knows all the places that groups come from. */
const changeGroup = async (path: string, group: string): Promise<void> => {
  try {
    await promisify(execFile)('chgrp', ['--', group, path])
  } catch (error) {
    const said = (error as { stderr?: unknown }).stderr
    const why = typeof said === 'string' && said !== '' ? said.trim() : 'chgrp could not be started'
    const isUnknown = why.includes('invalid group')
    throw new UpdateError(isUnknown ? 'SETTINGS_INVALID' : 'PERMISSION', `control.socketGroup ${group}: ${why}`, {
      cause: error,
      hint: isUnknown
        ? 'make the group first: groupadd NAME'
        : 'the agent can open its socket only to groups that its own user is in',
    })
  }
}

const protect = async (path: string, mode: number): Promise<void> => {
  try {
    await chmod(path, mode)
  } catch (error) {
    throw fromFileSystem(error, `cannot protect the socket ${path}`)
  }
}

const removeStaleSocket = async (path: string): Promise<void> => {
  try {
    const found = await lstat(path)
    if (!found.isSocket()) {
      throw new UpdateError('PERMISSION', `${path} is in the way: it is not a socket`, {
        hint: 'look at it, and remove it if it is not needed',
      })
    }
    if (await isAnswered(path)) {
      throw new UpdateError('AGENT_RUNNING', `another agent answers on ${path}`, {
        hint: 'stop it, or set UPDRAFT_HOME to give this one a home of its own',
      })
    }
    await rm(path)
  } catch (error) {
    if (systemCodeOf(error) !== 'ENOENT') throw fromFileSystem(error, `cannot take over the socket ${path}`)
  }
}

const isAnswered = (path: string): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(path)
    const settle = (answered: boolean) => {
      socket.destroy()
      resolve(answered)
    }
    socket.on('connect', () => settle(true))
    socket.on('error', () => settle(false))
  })

const listen = async (server: Server, path: string): Promise<void> => {
  const listening = new Promise<void>((resolve, reject) => {
    server.once('listening', resolve)
    server.once('error', (error) => reject(fromFileSystem(error, `cannot listen on ${path}`)))
  })
  // The socket is bound within the call: there is no moment in which it is open to others.
  const before = process.umask(0o177)
  try {
    // Whoever comes while the queue is full is refused by the system, without a word.
    server.listen({ path, backlog: LIMITS.controlConnectionsMax })
  } finally {
    process.umask(before)
  }
  await listening
  await protect(path, 0o600)
}
