// `trust add|list|remove`: which sources this machine trusts, and by which root. Shows what a person has to compare; the
// store of roots is trust-store.ts.
import { isIPv4 } from 'node:net'
import { homeOf } from '@updraft/core/control/home'
import { hasCode, messageOf, UpdateError } from '@updraft/core/errors'
import { readFileIfThere } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'
import type { Command } from 'commander'
import { fetchFirstRoot, fetchRootByFingerprint } from '../fetch-root.ts'
import { proposeAllowLoopback } from '../settings/edit.ts'
import { readSettings } from '../settings.ts'
import {
  assertRoot,
  fingerprintOf,
  type PinMethod,
  parseSourceUrl,
  pinRoot,
  readTrustedSources,
  removeTrustedSource,
  sourceNameOf,
  type TrustedSource,
} from '../trust-store.ts'
import type { Context } from './context.ts'

interface AddOptions {
  readonly root?: string
  readonly fingerprint?: string
  readonly onFirstUse?: true
  readonly name?: string
}

const ADD_HELP = `
Exactly one of --root, --fingerprint and --on-first-use says why the source deserves trust:
  $ updraft-agent trust add https://updates.example.com/acme --root root.json
  $ updraft-agent trust add https://updates.example.com/acme --fingerprint sha256:3f9a…
  $ updraft-agent trust add http://localhost:8080 --on-first-use --name local

Adding a source again with the same root adds the address as a mirror, and remembers the stronger reason: this is how to
confirm a root that was taken on first use. Another root is refused: see trust remove. As root this acts as the user of the
service, who has to be able to read the file.`

const LIST_HELP = `
Examples:
  $ updraft-agent trust list
  $ updraft-agent trust list --json`

const REMOVE_HELP = `
Example:
  $ updraft-agent trust remove updates-example-com

Products of the source get no updates until it is trusted again, under the same name. This is how to go over to other keys, if
the publisher has confirmed to you that they started again with new ones: trust remove, then trust add with their new root.`

const SHOW_HELP = `
Example:
  $ updraft-agent trust show https://updates.example.com/acme

Anybody can offer a root. Compare the fingerprint with what the publisher says of it in another way, and only then:
  $ updraft-agent trust add https://updates.example.com/acme --fingerprint sha256:3f9a…`

export const addTrustCommand = (program: Command, context: Context): void => {
  const trust = program.command('trust').description('say which sources to trust, and by which root')
  trust
    .command('add')
    .description('pin the root of a source')
    .argument('<source>', 'address of the repository, under which metadata/ and targets/ lie')
    .option('--root <file>', 'a root that you have from the publisher')
    .option('--fingerprint <sha256:…>', 'fingerprint of the root, that you have from the publisher')
    .option('--on-first-use', 'take whatever root the source offers now')
    .option('--name <name>', 'name of the source (default: from its address)')
    .addHelpText('after', ADD_HELP)
    .action((source: string, options: AddOptions) => add(source, options, context))
  trust
    .command('show')
    .description('show the root that a source offers, and trust nothing')
    .argument('<source>', 'address of the repository, under which metadata/ and targets/ lie')
    .option('--json', 'print one JSON object')
    .addHelpText('after', SHOW_HELP)
    .action((source: string, { json = false }: { readonly json?: boolean }) => show(source, json, context))
  trust
    .command('list')
    .description('show the sources that are trusted, and why')
    .option('--json', 'print one JSON object')
    .addHelpText('after', LIST_HELP)
    .action(({ json = false }: { readonly json?: boolean }) => list(json, context))
  trust
    .command('remove')
    .description('trust a source no longer; what is installed stays')
    .argument('<name>', 'name of the source, as trust list shows it')
    .addHelpText('after', REMOVE_HELP)
    .action((name: string) => remove(name, context))
}

const add = async (text: string, options: AddOptions, context: Context): Promise<void> => {
  const url = parseSourceUrl(text)
  const { rootBytes, pinnedBy } = await rootFor(url, options, context)
  const { configDirectory, stateDirectory } = homeOf(context.environment)
  const name = options.name ?? sourceNameOf(url)
  const source = await pinRoot(stateDirectory, { name, url, rootBytes, pinnedBy, addedAt: context.now() })
  context.print(describe(source))
  if (isLoopback(url) && !(await readSettings(configDirectory)).network.allowLoopback) {
    // Whoever adds a source on this machine wants its bytes as well; but what the owner wrote down stays.
    const { network } = await proposeAllowLoopback(configDirectory)
    context.note(
      network.allowLoopback
        ? 'the source is on this machine: network.allowLoopback is now true in agent.json'
        : 'the source is on this machine, and network.allowLoopback is false in agent.json: nothing will be fetched from it',
    )
  }
  if (source.pin.pinnedBy === 'first-use') {
    context.note(
      `nobody has compared this fingerprint yet: ask the publisher for it, and confirm it with\n  updraft-agent trust add ${url} --name ${name} --fingerprint FINGERPRINT`,
    )
  }
}

const show = async (text: string, json: boolean, { signal, print }: Context): Promise<void> => {
  const url = parseSourceUrl(text)
  const rootBytes = await fetchFirstRoot(url, { signal })
  const { version, roles } = assertRoot(rootBytes).signed
  const { keyids, threshold } = roles.root
  const offered = {
    name: sourceNameOf(url),
    url,
    fingerprint: fingerprintOf(rootBytes),
    version,
    threshold,
    keys: keyids.length,
  }
  if (json) return print(JSON.stringify(offered))
  print(
    [
      `${url} offers this root; to show it is not to trust it:`,
      `  root         version ${version}, signed by ${threshold} of ${keyids.length} ${keyids.length === 1 ? 'key' : 'keys'}`,
      `  fingerprint  ${offered.fingerprint}`,
      ...groupsOf(offered.fingerprint.slice('sha256:'.length)).map((line) => `               ${line}`),
    ].join('\n'),
  )
}

const isLoopback = (url: string): boolean => {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '')
  return host === 'localhost' || host === '::1' || (isIPv4(host) && host.startsWith('127.'))
}

const rootFor = async (
  url: string,
  { root, fingerprint, onFirstUse }: AddOptions,
  { signal }: Context,
): Promise<{ readonly rootBytes: Buffer; readonly pinnedBy: PinMethod }> => {
  if ([root, fingerprint, onFirstUse].filter((option) => option !== undefined).length !== 1) {
    throw new UpdateError('USAGE', 'say why the source deserves trust, in exactly one way', {
      hint: 'use --root FILE, --fingerprint sha256:… or --on-first-use',
    })
  }
  if (root !== undefined) {
    const rootBytes = await readRoot(root)
    if (rootBytes === undefined) throw new UpdateError('USAGE', `there is no file ${root}`)
    return { rootBytes, pinnedBy: 'file' }
  }
  if (fingerprint !== undefined) {
    const rootBytes = await fetchRootByFingerprint(url, parseFingerprint(fingerprint), { signal })
    return { rootBytes, pinnedBy: 'fingerprint' }
  }
  return { rootBytes: await fetchFirstRoot(url, { signal }), pinnedBy: 'first-use' }
}

/** Errors: PERMISSION, with what it may be that is closed: root's commands act as the user of the service. */
const readRoot = async (file: string): Promise<Buffer | undefined> => {
  try {
    return await readFileIfThere(file, LIMITS.rootLengthBytes)
  } catch (error) {
    if (!hasCode(error, 'PERMISSION')) throw error
    throw new UpdateError('PERMISSION', messageOf(error), {
      cause: error,
      hint: 'the user of the agent has to be able to read it (of the service: updraft): put it below /usr/local/share, for example',
    })
  }
}

/** Spaces and upper case are how people copy such things. */
const parseFingerprint = (text: string): string => {
  const fingerprint = text.replaceAll(/\s/g, '').toLowerCase()
  if (/^sha256:[0-9a-f]{64}$/.test(fingerprint)) return fingerprint
  throw new UpdateError('USAGE', `${JSON.stringify(text)} is not a fingerprint`, {
    hint: 'it is sha256: and 64 hex digits, as the publisher prints it',
  })
}

const list = async (json: boolean, { environment, print }: Context): Promise<void> => {
  const sources = await readTrustedSources(homeOf(environment).stateDirectory)
  if (json) print(JSON.stringify({ sources: sources.map(({ name, pin }) => ({ name, ...pin })) }))
  else if (sources.length === 0) print('no source is trusted yet: updraft-agent trust add SOURCE --root FILE')
  else print(sources.map(describe).join('\n\n'))
}

const remove = async (name: string, { environment, print }: Context): Promise<void> => {
  await removeTrustedSource(homeOf(environment).stateDirectory, name)
  print(`${name} is no longer trusted`)
}

const REASONS: Readonly<Record<PinMethod, string>> = {
  file: 'its root was given as a file',
  fingerprint: 'its fingerprint was given',
  'first-use': 'on first use, NOT compared with the publisher',
}

const describe = ({ name, urls, rootBytes, pin }: TrustedSource): string => {
  const { version, roles } = assertRoot(rootBytes).signed
  const { keyids, threshold } = roles.root
  return [
    `${name}`,
    ...urls.map((url, index) => `  ${index === 0 ? 'address    ' : 'mirror     '}  ${url}`),
    `  trusted      ${REASONS[pin.pinnedBy]}`,
    `  since        ${pin.addedAt}`,
    `  root         version ${version}, signed by ${threshold} of ${keyids.length} ${keyids.length === 1 ? 'key' : 'keys'}`,
    `  fingerprint  ${pin.fingerprint}`,
    ...groupsOf(pin.fingerprint.slice('sha256:'.length)).map((line) => `               ${line}`),
  ].join('\n')
}

/** Two lines of eight groups of four: what two people can read to each other. */
const groupsOf = (hex: string): readonly string[] =>
  (hex.match(/.{32}/g) ?? []).map((half) => (half.match(/.{4}/g) ?? []).join(' '))
