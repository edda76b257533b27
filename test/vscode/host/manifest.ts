// What the installed extension declares, and whether it is really there in this VS Code.
import assert from 'node:assert/strict'
import { ConfigurationTarget, commands, extensions, workspace } from 'vscode'
import type { HostTests } from './tests.ts'

interface Manifest {
  readonly activationEvents: readonly string[]
  readonly contributes: {
    readonly commands: readonly { readonly command: string; readonly category: string; readonly title: string }[]
    readonly configuration: { readonly properties: Readonly<Record<string, { readonly scope: string }>> }
    readonly views: { readonly updraft: readonly { readonly id: string }[] }
  }
}

const installed = () => {
  const extension = extensions.getExtension<void>('updraft.updraft')
  assert(extension !== undefined, 'the extension is not installed')
  return extension
}
const manifest = (): Manifest => installed().packageJSON as Manifest

/** `onStartupFinished` comes some time after the window, so its effect has to be waited for. */
const activated = async (): Promise<void> => {
  await installed().activate()
}

export const manifestTests: HostTests = {
  'it is activated after the start of VS Code, and by nothing else': async () => {
    assert.deepEqual(manifest().activationEvents, ['onStartupFinished'])
    await activated()
    assert.equal(installed().isActive, true)
  },

  'every command that it declares is registered': async () => {
    await activated()
    const registered = new Set(await commands.getCommands(true))
    const declared = manifest().contributes.commands.map(({ command }) => command)
    assert(declared.length >= 4)
    assert.deepEqual(
      declared.filter((command) => !registered.has(command)),
      [],
    )
  },

  'every command that it registers is declared': async () => {
    const registered = (await commands.getCommands(true)).filter((command) => /^updraft\.\w+$/.test(command))
    const declared = new Set(manifest().contributes.commands.map(({ command }) => command))
    assert.deepEqual(
      registered.filter((command) => !declared.has(command)),
      [],
    )
  },

  'every command has its category and a translated title': () => {
    for (const { category, title } of manifest().contributes.commands) {
      assert.equal(category, 'Updraft')
      assert.match(title, /^[A-Z][A-Za-z ]+$/)
    }
  },

  'its view can be focused': async () => {
    await commands.executeCommand('updraft.products.focus')
  },

  'no workspace can name a socket or a program, or silence a warning': async () => {
    const scopes = Object.entries(manifest().contributes.configuration.properties)
    assert(scopes.length >= 6)
    for (const [name, { scope }] of scopes) {
      assert.equal(scope, name.startsWith('updraft.notifications.') ? 'application' : 'machine', name)
    }
    const configuration = workspace.getConfiguration('updraft')
    assert.equal(configuration.get('socketPath'), '')
    await assert.rejects(async () => configuration.update('socketPath', '/evil.sock', ConfigurationTarget.Workspace))
    assert.equal(workspace.getConfiguration('updraft').get('socketPath'), '')
  },

  'a refresh and a look at the log need no agent': async () => {
    await commands.executeCommand('updraft.refresh')
    await commands.executeCommand('updraft.showLog')
  },
}
