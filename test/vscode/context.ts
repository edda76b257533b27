// What the tests of one version of VS Code share: made once, before the first of them.
import type { Browser } from 'playwright-core'
import type { Lane } from '../support/vscode-install.ts'
import type { VscodeServer } from '../support/vscode-server.ts'
import type { Workbench } from '../support/workbench.ts'

export interface LaneContext {
  readonly lane: Lane
  readonly server: VscodeServer
  readonly browser: Browser
  /** Of the lane's own, removed at the end. */
  readonly folder: string
  /** `UPDRAFT_HOME` of the extension: whoever listens on its socket is the agent. */
  readonly home: string
  /** For a whole Updraft, whose agent AGENT_NAME has that home. */
  readonly stageFolder: string
}

/** The same for tests that share one window of it. */
export interface WindowContext extends LaneContext {
  readonly window: Workbench
}

export const STATUS_ITEM = 'updraft.updraft.agent'
/** With this name its settings file is known to editors. */
export const AGENT_NAME = 'updraft'
