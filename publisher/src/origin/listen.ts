// What it means when the operating system refuses a port, told the same way for TCP and UDP.
import { systemCodeOf, UpdateError } from '@updraft/core/errors'

/** Errors: PORT_IN_USE, PERMISSION, USAGE; anything else is returned unchanged. */
export const listenFailure = (error: unknown, transport: 'tcp' | 'udp', host: string, port: number): unknown => {
  const where = `${transport} port ${port} on ${host}`
  switch (systemCodeOf(error)) {
    case 'EADDRINUSE':
      return new UpdateError('PORT_IN_USE', `another program listens on ${where}`, {
        cause: error,
        hint: `stop that program, or choose another port with --port, such as --port ${port === 65_535 ? 8080 : port + 1}`,
      })
    case 'EACCES':
      return new UpdateError('PERMISSION', `may not listen on ${where}`, {
        cause: error,
        hint: 'ports below 1024 are reserved for the system: choose a higher one with --port',
      })
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EINVAL':
      return new UpdateError('USAGE', `${host} is not an address of this machine`, {
        cause: error,
        hint: 'choose one with --host, or 0.0.0.0 for all of them',
      })
    default:
      return error
  }
}
