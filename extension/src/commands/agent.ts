// Commands about the agent itself: starting the one that is bundled, opening its settings, and trusting a source, which a
// person does by comparing fingerprints, in a dialog that they began.
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { controlClient } from '@updraft/core/control/client'
import { homeOf } from '@updraft/core/control/home'
import { UpdateError } from '@updraft/core/errors'
import { env, l10n, ProgressLocation, Uri, window, workspace } from 'vscode'
import { runAgentCommand, startAgent } from '../agent-program.ts'
import type { CommandContext, Commands, Target } from '../commands.ts'
import { placeOf } from '../socket.ts'
import { show } from '../text.ts'
import { type SourceView, sourceView } from '../view-model.ts'
import { groupsOf } from '../views/words.ts'

/** What `trust show --json` prints. */
interface Offered {
  readonly name: string
  readonly url: string
  readonly fingerprint: string
}

export const agentCommands = ({
  connection,
  log,
  model,
  program,
  sockets,
  agentLog,
  act,
  tell,
}: CommandContext): Commands => {
  /** Errors: what the command of the agent printed. */
  const run = async (...args: string[]): Promise<string> => {
    const { exitCode, stdout, stderr } = await runAgentCommand(program(), args)
    log.info(`updraft-agent ${show(args.join(' '))} ended with ${exitCode}`)
    if (exitCode === 0) return stdout
    throw new Error(show(stderr.replace(/^updraft-agent: /, '') || `updraft-agent ended with ${exitCode}`))
  }

  /** An agent of the machine belongs to somebody else, who has to be asked in a terminal. */
  const mayAct = async (...args: string[]): Promise<boolean> => {
    const socketPath = connection.socketPath()
    if (socketPath === undefined || placeOf(socketPath, process.env)?.isOwn === true) return true
    const command = `sudo updraft-agent ${args.join(' ')}`
    const copy = l10n.t('Copy Command')
    const detail = l10n.t(
      'This agent belongs to the machine or to somebody else. Its owner can do this in a terminal: {0}',
      show(command),
    )
    const chosen = await window.showInformationMessage(
      l10n.t('Only the owner of the agent can do this'),
      { modal: true, detail },
      copy,
    )
    if (chosen === copy) await env.clipboard.writeText(command)
    return false
  }

  /** Errors: as `run`. False if the person did not find them the same. */
  const confirm = async ({ name, url, fingerprint }: Offered): Promise<boolean> => {
    const same = l10n.t('They Are the Same')
    const detail = [
      l10n.t(
        'Ask the publisher of {0} for the fingerprint of their root, the file that lists their keys, in another way: on their website, by telephone, from a colleague. Compare every group:',
        show(url),
      ),
      groupsOf(fingerprint)
        .map((line) => show(line))
        .join('\n'),
      l10n.t(
        'From then on this machine believes the keys in this root, and nobody else. If a single group differs, somebody else answers at this address: close this.',
      ),
    ].join('\n\n')
    const question = l10n.t('Is this the fingerprint of {0}?', show(name, 64))
    if ((await window.showWarningMessage(question, { modal: true, detail }, same)) !== same) return false
    await run('trust', 'add', url, '--name', name, '--fingerprint', fingerprint)
    await lookAgain()
    return true
  }

  /** What was wrong with the source is over only when the agent has looked. Without an agent there is nobody to look. */
  const lookAgain = async (): Promise<void> => {
    if (model().link === 'connected') await connection.ask((client, options) => client.check({}, options))
    connection.refresh()
  }

  /**
   * Under which name to trust a source: products say from which one they come, so a name that they miss comes before the one
   * that its address gives. Undefined if the person chose none.
   */
  const nameFor = async (offered: string): Promise<string | undefined> => {
    const { sources, products } = model()
    const known = new Set<string>([...sources.values()].map(({ name }) => name))
    const missing = [...new Set([...products.values()].map(({ source }) => source))].filter((name) => !known.has(name))
    if (missing.length === 0 || missing.some((name) => name === offered)) return offered
    const items = [
      ...missing.map((name) => ({ label: name, description: l10n.t('products wait for this source') })),
      { label: offered, description: l10n.t('a new source') },
    ]
    return (await window.showQuickPick(items, { placeHolder: l10n.t('Which source is this?') }))?.label
  }

  /** Asks the agent: what the views show may be older than what the person has just done. */
  const pickSource = async (target?: Target): Promise<SourceView | undefined> => {
    const sources = (await connection.ask((client, options) => client.status(options))).sources.map(sourceView)
    const about = target?.about
    const wanted = about?.kind === 'source' ? about.source : model().products.get(about?.product ?? '')?.source
    const known = sources.find(({ name }) => name === wanted)
    if (known !== undefined || sources.length === 1) return known ?? sources[0]
    if (sources.length === 0) throw new Error(l10n.t('no source is trusted yet; run “Trust a Source” first'))
    const items = sources.map((source) => ({ label: source.name, description: source.url, source }))
    return (await window.showQuickPick(items, { placeHolder: l10n.t('Which source?') }))?.source
  }

  const settingsFile = (): string => {
    const socketPath = connection.socketPath() ?? homeOf(process.env).socketPath
    const place = placeOf(socketPath, process.env)
    if (place !== undefined) return place.settingsFile
    throw new UpdateError('USAGE', l10n.t('it is not known where the agent on {0} keeps its settings', socketPath), {
      hint: l10n.t('it prints the path with: updraft-agent doctor'),
    })
  }

  return {
    startAgent: () =>
      act(l10n.t('Updraft could not start the agent'), async () => {
        const { socketPath } = homeOf(process.env)
        const [wanted] = sockets()
        if (wanted !== socketPath) {
          throw new Error(
            l10n.t('the setting updraft.socketPath names another agent, {0}: empty it first', show(wanted ?? '')),
          )
        }
        await mkdir(dirname(agentLog), { recursive: true })
        const isReady = () =>
          controlClient(socketPath)
            .status()
            .then(Boolean, () => false)
        const title = l10n.t('Starting the Updraft agent')
        await window.withProgress({ location: ProgressLocation.Notification, title }, () =>
          startAgent(program(), { logFile: agentLog, isReady }),
        )
        log.info(`started the agent of this extension on ${socketPath}, which logs to ${agentLog}`)
        connection.refresh()
      }),

    trustSource: () =>
      act(l10n.t('Updraft could not trust the source'), async () => {
        const url = await window.showInputBox({
          title: l10n.t('Trust a Source'),
          prompt: l10n.t('Address of the publisher’s repository'),
          placeHolder: 'https://updates.example.com/acme',
          validateInput: (text) => (URL.canParse(text) ? undefined : l10n.t('This is not an address.')),
          ignoreFocusOut: true,
        })
        if (url === undefined || !(await mayAct('trust', 'add', url, '--fingerprint', 'sha256:…'))) return
        const offered = JSON.parse(await run('trust', 'show', url, '--json')) as Offered
        const name = await nameFor(offered.name)
        if (name !== undefined && (await confirm({ ...offered, name }))) {
          window.setStatusBarMessage(l10n.t('Updraft: {0} is trusted now', show(name, 64)), 5_000)
        }
      }),

    stopTrusting: (target) =>
      act(l10n.t('Updraft could not stop trusting the source'), async () => {
        const source = await pickSource(target)
        if (source === undefined || !(await mayAct('trust', 'remove', source.name))) return
        const stop = l10n.t('Stop Trusting')
        const detail = l10n.t(
          'What is installed from it stays and keeps working, but gets no updates until you trust the source again: then you compare its fingerprint as if for the first time.',
        )
        const question = l10n.t('Stop trusting the source {0}?', source.name)
        if ((await window.showWarningMessage(question, { modal: true, detail }, stop)) !== stop) return
        await run('trust', 'remove', source.name)
        await lookAgain()
      }),

    compareFingerprint: (target) =>
      act(l10n.t('Updraft could not confirm the fingerprint'), async () => {
        const source = await pickSource(target)
        if (source === undefined) return
        const { name, url, fingerprint } = source
        if (await mayAct('trust', 'add', url, '--name', name, '--fingerprint', fingerprint)) await confirm(source)
      }),

    addProduct: () =>
      act(l10n.t('Updraft could not add the product'), async () => {
        const source = await pickSource()
        if (source === undefined) return
        const product = await window.showInputBox({
          title: l10n.t('Add a Product'),
          prompt: l10n.t('Name of the product, as the publisher of {0} writes it', source.name),
          placeHolder: 'acme',
          validateInput: (text) =>
            /^[a-z][a-z0-9-]*$/.test(text) ? undefined : l10n.t('Small letters, digits and dashes, a letter first.'),
          ignoreFocusOut: true,
        })
        if (product === undefined || !(await mayAct('install', product, '--source', source.name))) return
        const title = l10n.t('Installing {0}', product)
        await window.withProgress({ location: ProgressLocation.Notification, title }, () =>
          run('install', product, '--source', source.name),
        )
        connection.refresh()
      }),

    openSettings: () =>
      tell(l10n.t('Updraft could not open the settings of the agent'), async () => {
        const path = settingsFile()
        const file = Uri.file(path)
        const isThere = await workspace.fs.stat(file).then(Boolean, () => false)
        if (!isThere && workspace.isTrusted) {
          await mkdir(dirname(path), { recursive: true })
          await writeFile(path, EMPTY_SETTINGS, { flag: 'wx' })
        }
        await window.showTextDocument(file)
      }),
  }
}

const EMPTY_SETTINGS = `{
  // What the agent keeps up to date. Ctrl+Space lists what can stand here, and explains it.
  "products": {}
}
`
