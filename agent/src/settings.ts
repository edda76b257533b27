// The agent's settings, `agent.json`: what its owner wants, in JSON with comments. Parsed strictly, every fault with its
// line and column. Never holds a secret.
import { isAbsolute, join, resolve } from 'node:path'
import { UpdateError } from '@updraft/core/errors'
import { readFileIfThere } from '@updraft/core/files/atomic'
import { LIMITS } from '@updraft/core/limits'
import {
  type Channel,
  type Platform,
  type Product,
  parseChannel,
  parsePlatform,
  parseProduct,
  platformOfThisMachine,
  STABLE_CHANNEL,
} from '@updraft/core/names'
import { VERIFICATION_LEVELS, type VerificationLevel } from '@updraft/core/trust/verification'
import semver from 'semver'
import * as z from 'zod'
import { type ControlSettings, controlSchema } from './settings/control.ts'
import { assertOwnPrograms } from './settings/foreign.ts'
import { type InstallKind, installKindSchema } from './settings/install-kind.ts'
import { parseJsonWithComments } from './settings/json-with-comments.ts'
import { type MeteredSetting, meteredSchema } from './settings/metered.ts'
import { named } from './settings/named.ts'
import { type NetworkSettings, networkOf, networkSchema } from './settings/network.ts'
import { type Probe, probeSchema } from './settings/probe.ts'
import type { Window } from './settings/window.ts'
import { windowSchema } from './settings/window-schema.ts'

export type { NetworkSettings } from './settings/network.ts'

export interface Settings {
  readonly products: readonly ProductSettings[]
  readonly checkIntervalSeconds: number
  readonly network: NetworkSettings
  readonly control: ControlSettings
  readonly metered: MeteredSetting
  /** Sources are not asked: releases come as exported files. */
  readonly importOnly: boolean
  /** Absolute path of a folder that exported files are put into; undefined is none. */
  readonly importFolder: string | undefined
  /** Installed versions kept per product, the current one included. */
  readonly versionsKept: number
  /** What they and their bundles may take on disk per product; undefined is without limit. */
  readonly versionsKeptBytes: number | undefined
}

export interface ProductSettings {
  readonly name: Product
  /** Name of the trust source that the product comes from. */
  readonly source: string
  readonly channel: Channel
  readonly platform: Platform
  /** semver range that bounds updates; undefined lets every version in. */
  readonly versionRange: string | undefined
  readonly mode: 'install'
  /** How a version is brought into use. */
  readonly install: InstallKind
  /** How to find out whether an installed version works; undefined takes each for healthy. */
  readonly probe: Probe | undefined
  /** Updates happen only inside of these; without any, always. */
  readonly windows: readonly Window[]
  /** How long this machine must have known a release before it installs it. */
  readonly minimumAgeHours: number
  /** Whose knowledge of it counts: this machine's alone, or also what most of `network.peers` say. */
  readonly minimumAgeFrom: 'this-machine' | 'named-peers'
  /** `required`: a release is installed only after the owner of the machine has approved its version. */
  readonly approval: 'automatic' | 'required'
  /** Which findings stop updates, and which are only told. */
  readonly verification: VerificationLevel
  /** Absolute paths of PEM files: who has to vouch for the holders of the product's keys; with none, the keys alone count. */
  readonly authorities: readonly string[]
  readonly onBattery: 'install' | 'wait'
  /** What a metered connection means for updates. */
  readonly onMetered: 'install' | 'wait'
  /** Load average over a minute, per processor, from which on updates wait; undefined is never. */
  readonly maximumLoad: number | undefined
}

export const settingsPathOf = (configDirectory: string): string => join(configDirectory, 'agent.json')

/**
 * Reads the settings; a missing file is all defaults.
 *
 * Errors: SETTINGS_INVALID with each fault and its line and column; LIMIT_EXCEEDED, PERMISSION, IO.
 */
export const readSettings = async (configDirectory: string): Promise<Settings> => {
  const path = settingsPathOf(configDirectory)
  const text = (await readFileIfThere(path, LIMITS.settingsLengthBytes))?.toString('utf8') ?? ''
  const settings = parseSettings(text, path)
  await assertOwnPrograms(settings, text, path)
  return settings
}

/** Reads the text of a settings file; `path` is for messages. An empty text is all defaults. Errors: SETTINGS_INVALID. */
export const parseSettings = (text: string, path: string): Settings =>
  parseJsonWithComments(text.trim() === '' ? '{}' : text, settingsSchema, path)

/** Describes `agent.json` to editors. JSON Schema draft 7, because that is what editors know; says the same anywhere. */
export const settingsJsonSchema = (): object => ({
  ...z.toJSONSchema(settingsSchema, { io: 'input', target: 'draft-7' }),
  title: 'Settings of the Updraft agent',
})

const parseRange = (text: string): string => {
  if (semver.validRange(text) === null) {
    throw new UpdateError('SETTINGS_INVALID', `version range ${JSON.stringify(text)} is not a semver range`, {
      hint: 'use one such as ^1.4.0, 1.x or >=2.0.0 <3.0.0',
    })
  }
  return text
}

const parseFile = (text: string): string => {
  if (isAbsolute(text)) return resolve(text)
  throw new UpdateError('SETTINGS_INVALID', `file ${JSON.stringify(text)} is not an absolute path`)
}

const parseFolder = (text: string): string => {
  if (isAbsolute(text)) return resolve(text)
  throw new UpdateError('SETTINGS_INVALID', `folder ${JSON.stringify(text)} is not an absolute path`)
}

const YEAR_HOURS = 365 * 24

const productSchema = z
  .strictObject({
    source: z.string().min(1).describe('Name of the trusted source that the product comes from'),
    channel: named(parseChannel).default(STABLE_CHANNEL).describe('Channel to follow; else stable'),
    platform: named(parsePlatform)
      .optional()
      .describe('Platform to install for, such as linux-x64; else that of the machine'),
    versionRange: named(parseRange)
      .optional()
      .describe('semver range that bounds updates, such as ^1.4.0; else every version is let in'),
    mode: z.enum(['install']).default('install').describe('What is done with a new release'),
    install: installKindSchema.default({ kind: 'directory' }),
    probe: probeSchema.optional(),
    windows: z
      .array(windowSchema)
      .max(100)
      .default([])
      .describe('When updates may happen, in the local time of the machine; else always'),
    minimumAgeHours: z
      .int()
      .min(0)
      .max(YEAR_HOURS)
      .default(0)
      .describe(
        'Hours since this machine first saw a release before it installs it, unless the publisher signs that it is urgent',
      ),
    minimumAgeFrom: z
      .enum(['this-machine', 'named-peers'])
      .default('this-machine')
      .describe(
        'Who has to have known it for that long: this machine, or also more than half of the machines in network.peers, of which there have to be three',
      ),
    approval: z
      .enum(['automatic', 'required'])
      .default('automatic')
      .describe('Whether a release is installed only after updraft-agent approve'),
    verification: z
      .enum(VERIFICATION_LEVELS)
      .default('strict')
      .describe(
        'Which trust findings stop updates: strict all, permissive not those of time and revocation, audit only those of integrity',
      ),
    authorities: z
      .array(named(parseFile))
      .max(16)
      .default([])
      .describe(
        'Absolute paths of PEM files with the certificate authorities that have to vouch for who signs; else the keys alone count',
      ),
    onBattery: z
      .enum(['install', 'wait'])
      .default('install')
      .describe('Whether updates wait while the machine runs on its battery'),
    onMetered: z
      .enum(['install', 'wait'])
      .default('install')
      .describe('Whether updates wait while the connection of the machine is metered'),
    maximumLoad: z
      .number()
      .min(0.01)
      .max(1_000)
      .optional()
      .describe('Load average over a minute, per processor, from which on updates wait; else they never do'),
  })
  .describe('One product that this machine is subscribed to')

/** Two products that both want one place would take it from each other for ever. */
const placesTakenTwice = (products: Readonly<Record<string, { readonly install: InstallKind }>>) => {
  const owners = new Map<string, string>()
  return Object.entries(products).flatMap(([name, { install }]) => {
    if (install.kind !== 'file') return []
    const first = owners.get(install.path)
    owners.set(install.path, first ?? name)
    return first === undefined ? [] : [{ path: install.path, name, first }]
  })
}

const WEEK_SECONDS = 7 * 24 * 3_600

const settingsSchema = z
  .strictObject({
    $schema: z.string().optional().describe('Where editors find this description of the file'),
    products: z
      .record(named(parseProduct), productSchema)
      .superRefine((products, context) => {
        for (const { path, name, first } of placesTakenTwice(products)) {
          const message = `the place ${path} is that of ${first}`
          context.addIssue({ code: 'custom', message, path: [name, 'install', 'path'], input: path })
        }
      })
      .default({})
      .describe('The products that this machine is subscribed to, by name'),
    checkIntervalSeconds: z
      .int()
      .min(1)
      .max(WEEK_SECONDS)
      .default(3_600)
      .describe('How often to look for updates of a product'),
    importOnly: z
      .boolean()
      .default(false)
      .describe('Ask no source, because none can be reached: releases come as exported files only'),
    importFolder: named(parseFolder)
      .optional()
      .describe('Absolute path of a folder: a file from updraft-publisher export that is put there is imported'),
    network: networkSchema.prefault({}),
    metered: meteredSchema,
    control: controlSchema.prefault({}),
    versionsKept: z
      .int()
      .min(1)
      .max(100)
      .default(2)
      .describe('Installed versions kept per product, the current one included'),
    versionsKeptBytes: z
      .int()
      .min(1)
      .max(Number.MAX_SAFE_INTEGER)
      .optional()
      .describe(
        'Most bytes that these versions and their bundles take per product; two of them are kept whatever they take',
      ),
  })
  .transform(
    ({
      products,
      checkIntervalSeconds,
      importOnly,
      importFolder,
      network,
      metered,
      control,
      versionsKept,
      versionsKeptBytes,
    }): Settings => ({
      products: Object.entries(products).map(([name, product]) => ({
        name: parseProduct(name),
        ...product,
        platform: product.platform ?? platformOfThisMachine(),
        versionRange: product.versionRange,
        probe: product.probe,
        maximumLoad: product.maximumLoad,
      })),
      checkIntervalSeconds,
      importOnly,
      importFolder,
      network: networkOf(network),
      metered,
      control,
      versionsKept,
      versionsKeptBytes,
    }),
  )
