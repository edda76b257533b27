// What happened, in words: the same ones in the log and on the command line. Pure.
import type { AgentEvent, RecordedEvent, Update } from '@updraft/core/control/api'
import { timeText } from '@updraft/core/terminal/plain-text'
import { formatBytes } from '@updraft/core/terminal/progress'

/** One line: when, the cursor to go on from, what. */
export const textOfEvent = ({ cursor, at, event }: RecordedEvent): string =>
  `${timeText(at)}  ${String(cursor).padStart(6)}  ${'product' in event ? `${event.product}: ` : ''}${wordsOfEvent(event)}${progressOf(event)}`

export const wordsOfEvent = (event: AgentEvent): string => {
  switch (event.kind) {
    case 'check':
      return event.error === undefined
        ? `checked the source ${event.source}`
        : `the source ${event.source} could not be checked: ${event.error.detail}`
    case 'update':
      return wordsOfUpdate(event.update)
    case 'installed':
      return `installed ${event.version}${event.previous === undefined ? '' : ` in place of ${event.previous}`}`
    case 'seeding':
      return `shares ${event.version} with the swarm`
    case 'finding':
      return event.finding.message
    case 'finding-cleared':
      return `no longer: ${event.code}`
    case 'import':
      return event.error === undefined
        ? `imported ${event.file}`
        : `the file ${event.file} was refused: ${event.error.detail}`
    case 'started':
      return `the agent ${event.version} was started, and is in good health`
    case 'settings':
      return event.error === undefined
        ? 'settings taken over'
        : `settings refused, the old ones stay: ${event.error.detail}`
    case 'idle':
      return event.error === undefined ? 'looked for updates' : `the look for updates failed: ${event.error.detail}`
    case 'reset':
      return 'older events are no longer kept'
  }
}

const wordsOfUpdate = ({ state, version, bytes, error }: Update): string => {
  if (error !== undefined) return `update to ${version} ended: ${error.detail}`
  if (state === 'committed') {
    return `updated to ${version}: ${formatBytes(bytes.peers)} from peers, ${formatBytes(bytes.origin)} from the origin, ${formatBytes(bytes.reused)} reused`
  }
  return `${state} ${version}`
}

const progressOf = (event: AgentEvent): string => {
  if (event.kind !== 'update') return ''
  const { state, haveBytes, totalBytes } = event.update
  return state === 'downloading' && totalBytes > 0 ? `, ${Math.floor((haveBytes / totalBytes) * 100)} %` : ''
}
