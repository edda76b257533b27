// The published description of the control API: the one that an agent serves, whole, and true of what an agent answers.
import { mkdirSync, readFileSync } from 'node:fs'
import { request } from 'node:http'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { serveControl } from '@updraft/agent/control'
import { openStore } from '@updraft/agent/store'
import { EVENT_KINDS, PATHS } from '@updraft/core/control/api'
import { openApiDocument } from '@updraft/core/control/openapi'
import { PROJECT } from '../../../scripts/steps.ts'
import { bareHandlers } from '../../support/control-handlers.ts'
import { type TemporaryHome, temporaryHome } from '../../support/fake-agent-parts.ts'

interface Operation {
  readonly operationId: string
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly responses: Readonly<Record<string, object>>
}

interface Document {
  readonly openapi: string
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>
  readonly components: { readonly schemas: Readonly<Record<string, object>> }
}

const document = JSON.parse(JSON.stringify(openApiDocument())) as Document
let home: TemporaryHome

beforeEach(() => {
  home = temporaryHome()
})
afterEach(() => home[Symbol.dispose]())

test('the published file is what the program says: npm run document:api', () => {
  expect(JSON.parse(readFileSync(join(PROJECT, 'docs/control-api.json'), 'utf8'))).toEqual(document)
})

test('every path of the API is described, with each of its parameters, and every failure', () => {
  expect(Object.keys(document.paths)).toEqual(Object.values(PATHS).map((path) => path.replaceAll(/:(\w+)/g, '{$1}')))
  for (const [path, item] of Object.entries(document.paths)) {
    for (const { operationId, parameters = [], responses } of Object.values(item)) {
      expect(PATHS).toHaveProperty(operationId)
      const inPath = parameters.filter((parameter) => parameter.in === 'path').map(({ name }) => name)
      expect(inPath).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name))
      expect(responses).toHaveProperty('default')
    }
  }
})

test('every reference leads to something in the document, and every schema is used', () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/components\/(\w+)\/(\w+)"/g)]
  for (const [, kind = '', name = ''] of references) expect(document.components).toHaveProperty([kind, name])
  const used = new Set(references.map(([, , name]) => name))
  expect(Object.keys(document.components.schemas).filter((name) => !used.has(name))).toEqual([])
})

test('nothing forbids what is added later, and every kind of event is there', () => {
  const text = JSON.stringify(document)
  expect(text).not.toContain('additionalProperties')
  for (const kind of EVENT_KINDS) expect(text).toContain(`{"type":"string","const":"${kind}"}`)
})

test('an agent serves it', async () => {
  mkdirSync(home.stateDirectory)
  using store = openStore(home.stateDirectory)
  const tokenFile = join(home.stateDirectory, 'control-token')
  await using _control = await serveControl(home.socketPath, bareHandlers(store.events), { tokenFile })
  const text = await new Promise<string>((resolve, reject) => {
    request({ socketPath: home.socketPath, path: PATHS.openapi, headers: { host: 'localhost' } }, async (response) => {
      let answer = ''
      for await (const chunk of response.setEncoding('utf8')) answer += chunk
      resolve(answer)
    })
      .on('error', reject)
      .end()
  })
  expect(JSON.parse(text)).toEqual(document)
})
