// What the agent last knew, read from its store while it does not run. Changes nothing.
import { existsSync } from 'node:fs'
import { API_VERSION } from '@updraft/core/control/api'
import type { Home } from '@updraft/core/control/home'
import type { AgentParts } from './agent.ts'
import { readSettings } from './settings.ts'
import { NOTHING_LIVE, type StateOfAll, statusOf } from './status.ts'
import { databasePathOf, openStore } from './store.ts'

/** Errors: SETTINGS_INVALID, STATE_DAMAGED, PERMISSION, IO. */
export const readOfflineStatus = async (
  home: Home,
  { describeSources }: Pick<AgentParts, 'describeSources'>,
): Promise<StateOfAll> => {
  const settings = await readSettings(home.configDirectory)
  const sources = await describeSources(home)
  if (!existsSync(databasePathOf(home.stateDirectory))) {
    return { apiVersion: API_VERSION, sources, products: [], cursor: 0 } // No agent has ever run here.
  }
  using store = openStore(home.stateDirectory, { readOnly: true })
  return statusOf({ store, settings, sources, live: NOTHING_LIVE })
}
