// What a control API is given where a test is about who may ask, and not about the answers.
import type { ControlHandlers } from '@updraft/agent/control'
import type { EventLog } from '@updraft/agent/store/events'
import type { Status } from '@updraft/core/control/api'
import { UpdateError } from '@updraft/core/errors'

export const BARE_STATUS: Status = {
  apiVersion: 1,
  agent: { version: '1.0.0', pid: 1, hostname: 'h', home: '/h', startedAt: 't', swarmPort: 1 },
  sources: [],
  products: [],
  cursor: 0,
}

/** Answers with a status, and fails whatever else it is asked. */
export const bareHandlers = (events: EventLog): ControlHandlers => {
  const never = async () => {
    throw new UpdateError('USAGE', 'nobody asks for this')
  }
  return {
    status: async () => BARE_STATUS,
    check: never,
    import: never,
    history: never,
    proof: never,
    transfers: never,
    rollback: never,
    retry: never,
    wish: never,
    metrics: never,
    events,
    onDefect: () => {},
  }
}
