// `events`: what happened on this machine, and with --follow what happens, as it happens.
import { existsSync } from 'node:fs'
import { controlAddressOf } from '@updraft/core/control/address'
import type { RecordedEvent } from '@updraft/core/control/api'
import { controlClient } from '@updraft/core/control/client'
import { type Home, homeOf } from '@updraft/core/control/home'
import { UpdateError } from '@updraft/core/errors'
import { LIMITS } from '@updraft/core/limits'
import type { Command } from 'commander'
import { textOfEvent } from '../event-text.ts'
import { databasePathOf, openStore } from '../store.ts'
import type { Context } from './context.ts'
import { unlessNotRunning } from './view.ts'

interface EventsOptions {
  readonly follow?: true
  readonly after?: number
  readonly json?: true
}

/** Events shown when nobody says where to begin. */
const LAST_SHOWN = 10

const HELP = `
Examples:
  $ updraft-agent events
  $ updraft-agent events --follow
  $ updraft-agent events --after 1041 --json

Begins with the last ${LAST_SHOWN} events, or after the cursor (the number in each line). With --json each line is one event as in
GET /v1/events. A "reset" says that some events after the cursor are no longer kept. Needs a running agent only with
--follow, and then ends with 9 when the agent stops.`

export const addEventsCommand = (program: Command, context: Context): void => {
  program
    .command('events')
    .description('show what happened on this machine, or what happens')
    .option('--follow', 'go on with what happens next')
    .option('--after <cursor>', 'begin after this event', parseCursor)
    .option('--json', 'print one JSON object per line')
    .addHelpText('after', HELP)
    .action(async (options: EventsOptions) => {
      const print = (recorded: RecordedEvent) =>
        context.print(options.json ? JSON.stringify(recorded) : textOfEvent(recorded))
      await showEvents(options, context, print)
    })
}

/** Errors: USAGE. */
const parseCursor = (text: string): number => {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new UpdateError('USAGE', `cursor ${JSON.stringify(text)} is not a number`, {
    hint: 'use the number of the last event that you have seen',
  })
}

type Print = (recorded: RecordedEvent) => void

const showEvents = async ({ follow, after }: EventsOptions, context: Context, print: Print): Promise<void> => {
  const { signal, environment } = context
  const home = homeOf(environment)
  const client = controlClient(controlAddressOf(environment))
  const asking = client.status({ signal })
  const status = follow ? await asking : await unlessNotRunning(asking, context)
  if (status === undefined) return showFromStore(home, after, context, print)

  const begin = after ?? Math.max(0, status.cursor - LAST_SHOWN)
  if (!follow && begin === status.cursor) return
  for await (const recorded of client.events(begin, { signal })) {
    print(recorded)
    if (!follow && recorded.cursor >= status.cursor) return
  }
  throw new UpdateError('AGENT_NOT_RUNNING', 'the agent has stopped')
}

/** The event log itself, while no agent writes it. */
const showFromStore = ({ stateDirectory }: Home, after: number | undefined, { now }: Context, print: Print): void => {
  if (!existsSync(databasePathOf(stateDirectory))) return // No agent has ever run here.
  using store = openStore(stateDirectory, { readOnly: true })
  const last = store.events.cursor()
  const events = store.events.after(after ?? Math.max(0, last - LAST_SHOWN), LIMITS.controlEventsKept)
  for (const recorded of events ?? [{ cursor: last, at: now().toISOString(), event: { kind: 'reset' } as const }]) {
    print(recorded)
  }
}
