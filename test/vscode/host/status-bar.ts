// The tooltip of the status bar item, with VS Code's real API.
import assert from 'node:assert/strict'
import { NOTHING_KNOWN, reduce } from '../../../extension/src/state.ts'
import { TOOLTIP_COMMANDS, tooltipOf } from '../../../extension/src/views/status-bar.ts'
import { productOf } from '../../extension/control-server.ts'
import { hostileProduct, modelOf } from './hostile.ts'
import type { HostTests } from './tests.ts'

export const statusBarTests: HostTests = {
  'the tooltip may run four commands of its own, and is never HTML': () => {
    const { isTrusted, supportHtml } = tooltipOf(modelOf([hostileProduct()]))
    assert.deepEqual(isTrusted, { enabledCommands: TOOLTIP_COMMANDS })
    assert.deepEqual(TOOLTIP_COMMANDS, [
      'updraft.products.focus',
      'updraft.trust.focus',
      'updraft.checkForUpdates',
      'updraft.showLog',
    ])
    assert.equal(supportHtml ?? false, false)
  },

  'nothing hostile is markup in the tooltip': () => {
    const { value } = tooltipOf(modelOf([hostileProduct()]))
    // Whatever is markup in it must be ours: bold, line breaks, our own icons, and the links to our own commands.
    const ours = value
      .replaceAll(/\[[A-Z][A-Za-z ]+\]\(command:updraft\.[\w.]+\)/g, '')
      .replaceAll(/\\[!-~]/g, '')
      .replaceAll('**', '')
      .replaceAll(/\$\((verified|warning|error)\) /g, '')
    assert.doesNotMatch(ours, /[[\]()<>`#$|]|:\/\/|www\./)
  },

  'the tooltip names the machine, versions and trust': () => {
    const { value } = tooltipOf(modelOf([productOf('acme')]))
    assert.match(value, /build\\-7/)
    assert.match(value, /\*\*acme\*\* 1\\\.0\\\.0 → 1\\\.1\\\.0 · Trusted/)
  },

  'the tooltip of many products says how many more there are': () => {
    const { value } = tooltipOf(modelOf(Array.from({ length: 100 }, (_, index) => productOf(`acme-${index}`))))
    assert.match(value, /and 88 more/)
  },

  'without an agent the tooltip says why': () => {
    const { value } = tooltipOf(
      reduce(NOTHING_KNOWN, { kind: 'lost', reason: 'no-permission', message: 'not for you' }),
    )
    assert.match(value, /no permission to talk to the agent/)
    assert.match(value, /Not for you/)
  },
}
