// Whether this agent and the installed version can go to a release at all. Pure.
import { compareVersions } from '@updraft/core/names'
import type { Question, Rule } from './facts.ts'

export const agentNewEnough: Rule<Question> = ({ release: { version, minimumAgentVersion }, agentVersion }) =>
  minimumAgentVersion === undefined
    ? undefined
    : {
        passed: compareVersions(agentVersion, minimumAgentVersion) >= 0,
        detail: `${version} needs agent ${minimumAgentVersion} or newer; this is ${agentVersion}`,
      }

/** A first installation has nothing to convert, so it needs no stepping stone. */
export const previousNewEnough: Rule<Question> = ({ release: { version, minimumPreviousVersion }, installed }) =>
  minimumPreviousVersion === undefined || installed === undefined
    ? undefined
    : {
        passed: compareVersions(installed, minimumPreviousVersion) >= 0,
        detail: `${version} can follow ${minimumPreviousVersion} or newer; installed is ${installed}`,
      }
