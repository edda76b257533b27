// Tells the running agent what the owner of the machine wants for a product; without one, writes it down for the next.

import { controlAddressOf } from '@updraft/core/control/address'
import type { Wish, WishAnswer } from '@updraft/core/control/api'
import { controlClient } from '@updraft/core/control/client'
import { homeOf } from '@updraft/core/control/home'
import { readSettings } from '../settings.ts'
import { openStore } from '../store.ts'
import { prepareHome, takeHome } from '../taken-home.ts'
import { fulfil } from '../wishes.ts'
import type { Context } from './context.ts'
import { unlessNotRunning } from './view.ts'

/** Errors: those of `fulfil`; AGENT_RUNNING if one is just about to start. */
export const tellWish = async (product: string, wish: Wish, context: Context): Promise<WishAnswer> => {
  const { environment, signal, now } = context
  const home = homeOf(environment)
  const asking = controlClient(controlAddressOf(environment)).wish(product, wish, { signal })
  const answer = await unlessNotRunning(asking, context)
  if (answer !== undefined) return answer
  await prepareHome(home)
  using _lock = takeHome(home)
  const settings = await readSettings(home.configDirectory)
  using store = openStore(home.stateDirectory)
  return fulfil(product, wish, { store, settings, now: now() })
}
