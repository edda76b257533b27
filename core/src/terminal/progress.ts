// Progress on standard error: bars on a terminal, plain lines elsewhere (one per tenth), nothing with --json or --quiet.
import cliProgress from 'cli-progress'
import type { ProgressEvent, ProgressListener } from '../progress.ts'

export interface ProgressDisplay extends Disposable {
  /** Shows events under `name` (a machine, a product); one bar for each phase of a name. */
  listener(name: string): ProgressListener
}

export const noProgress: ProgressDisplay = { listener: () => () => {}, [Symbol.dispose]: () => {} }

/** Bars if `stream` is a terminal, otherwise a line whenever another tenth is done. */
export const showProgress = (stream: NodeJS.WriteStream = process.stderr): ProgressDisplay =>
  stream.isTTY === true ? bars(stream) : lines(stream)

const bars = (stream: NodeJS.WriteStream): ProgressDisplay => {
  const container = new cliProgress.MultiBar(
    {
      stream,
      format: '{name} {phase} [{bar}] {percentage}% {done}/{total}',
      hideCursor: true,
      clearOnComplete: false,
      emptyOnZero: true,
    },
    cliProgress.Presets.shades_classic,
  )
  const known = new Map<string, cliProgress.SingleBar>()
  return {
    listener: (name) => (event) => {
      const key = `${name}\0${event.phase}`
      const payload = {
        name: name.padEnd(14),
        phase: event.phase.padEnd(9),
        done: formatBytes(event.doneBytes),
        total: formatBytes(event.totalBytes),
      }
      const bar = known.get(key)
      if (bar === undefined) known.set(key, container.create(event.totalBytes, event.doneBytes, payload))
      else {
        bar.setTotal(event.totalBytes)
        bar.update(event.doneBytes, payload)
      }
    },
    [Symbol.dispose]: () => container.stop(),
  }
}

const lines = (stream: NodeJS.WriteStream): ProgressDisplay => {
  const shown = new Map<string, number>()
  return {
    listener: (name) => (event) => {
      const key = `${name}\0${event.phase}`
      const tenth = tenthOf(event)
      if (shown.get(key) === tenth) return
      shown.set(key, tenth)
      stream.write(
        `${name} ${event.phase} ${tenth * 10}% ${formatBytes(event.doneBytes)} of ${formatBytes(event.totalBytes)}\n`,
      )
    },
    [Symbol.dispose]: () => {},
  }
}

const tenthOf = ({ doneBytes, totalBytes }: ProgressEvent): number =>
  totalBytes === 0 ? 10 : Math.floor((doneBytes / totalBytes) * 10)

/** `1.5 MiB`: binary units, one decimal from KiB on. */
export const formatBytes = (bytes: number): string => {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
  let value = bytes
  let unit = 0
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024
    unit += 1
  }
  return unit === 0 ? `${value} B` : `${value.toFixed(1)} ${units[unit]}`
}
