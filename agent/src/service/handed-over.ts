// What a service manager hands over to the process that it starts, read from the environment: where it listens for news,
// how often it wants a sign of life, and a socket that it has opened. Opens and sends nothing.
// Source: sd_notify(3), sd_watchdog_enabled(3), sd_listen_fds(3).

export interface HandedOver {
  /** Where messages of the service go; undefined if nobody listens. */
  readonly notifySocket: string | undefined
  /** A service that is silent for longer than this is killed; undefined if nobody watches. */
  readonly watchdogMs: number | undefined
  /** The descriptor of a control socket that listens already. */
  readonly controlFd: number | undefined
}

export const NOTHING_HANDED_OVER: HandedOver = {
  notifySocket: undefined,
  watchdogMs: undefined,
  controlFd: undefined,
}

/**
 * Reads it for the process `pid`, or for its starter, which got it first and passes it on; and takes it out of `environment`: it is for this process, and a hook or a probe that
 * inherited it could speak in the agent's name.
 */
export const takeHandedOver = (
  environment: Record<string, string | undefined>,
  pid: number,
  starterPid?: number,
): HandedOver => {
  const { NOTIFY_SOCKET, WATCHDOG_USEC, WATCHDOG_PID, LISTEN_FDS, LISTEN_PID } = environment
  for (const name of VARIABLES) delete environment[name]
  const isForUs = (owner: string | undefined) => owner === String(pid) || owner === String(starterPid)
  const watchdogMs = (countIn(WATCHDOG_USEC) ?? 0) / 1_000
  return {
    notifySocket: NOTIFY_SOCKET === '' ? undefined : NOTIFY_SOCKET,
    watchdogMs: watchdogMs > 0 && (WATCHDOG_PID === undefined || isForUs(WATCHDOG_PID)) ? watchdogMs : undefined,
    controlFd: isForUs(LISTEN_PID) && (countIn(LISTEN_FDS) ?? 0) > 0 ? FIRST_LISTEN_FD : undefined,
  }
}

const VARIABLES = [
  'NOTIFY_SOCKET',
  'WATCHDOG_USEC',
  'WATCHDOG_PID',
  'LISTEN_FDS',
  'LISTEN_PID',
  'LISTEN_FDNAMES',
] as const

/** SD_LISTEN_FDS_START. Our socket unit has one socket, so this is it. */
const FIRST_LISTEN_FD = 3

const countIn = (text: string | undefined): number | undefined =>
  text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined
