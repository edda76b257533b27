// The published description of agent.json: up to date, and in agreement with what the agent accepts.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from '@jest/globals'
import { parseSettings, settingsJsonSchema } from '@updraft/agent/settings'

interface Schema {
  readonly properties: Readonly<Record<string, Schema>>
  readonly additionalProperties?: Schema | false
  readonly description?: string
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
}

const published: Schema = JSON.parse(readFileSync(join(import.meta.dirname, '../../agent/agent.schema.json'), 'utf8'))
const network = published.properties.network as Schema
const product = published.properties.products?.additionalProperties as Schema
const probe = product.properties.probe as Schema

test('the published file is what the program prints: updraft-agent settings schema > agent/agent.schema.json', () => {
  expect(published).toEqual(JSON.parse(JSON.stringify(settingsJsonSchema())))
})

test('every setting is explained, and nothing else is allowed', () => {
  for (const { properties, additionalProperties } of [published, network, product, probe]) {
    expect(additionalProperties).toBe(false)
    for (const { description } of Object.values(properties)) expect(description).toMatch(/^\w.{10,}[^.]$/)
  }
})

test('what it says is the default is what the agent does without the setting', () => {
  const defaults = parseSettings('{}', 'agent.json')
  const pairs: readonly (readonly [Schema, object])[] = [
    [published, defaults],
    [network, { ...defaults.network, ...defaults.network.manners }],
  ]
  for (const [{ properties }, actual] of pairs) {
    for (const [name, setting] of Object.entries(properties)) {
      if ('default' in setting && name !== 'network') expect(actual).toMatchObject({ [name]: setting.default })
    }
  }
})

test('a number at its bounds is accepted, one beyond them is not', () => {
  const numbers = [
    ...Object.entries(published.properties).map(
      ([name, setting]) => [name, setting, (value: number) => ({ [name]: value })] as const,
    ),
    ...Object.entries(network.properties).map(
      ([name, setting]) => [name, setting, (value: number) => ({ network: { [name]: value } })] as const,
    ),
  ].filter(([, { minimum }]) => minimum !== undefined)
  expect(numbers.length).toBeGreaterThan(4)
  for (const [, { minimum = 0, maximum = 0 }, settings] of numbers) {
    for (const value of [minimum, maximum]) parseSettings(JSON.stringify(settings(value)), 'agent.json')
    for (const value of [minimum - 1, maximum + 1]) {
      expect(() => parseSettings(JSON.stringify(settings(value)), 'agent.json')).toThrow()
    }
  }
})
