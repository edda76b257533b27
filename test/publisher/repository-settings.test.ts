// repository.json: what is filled in, and what is refused.
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import {
  parseRepositorySettings,
  readRepositorySettings,
  serializeRepositorySettings,
} from '../../publisher/src/repository-settings.ts'
import { openWorkspace, writeTree } from './workspace.ts'

describe('settings of a repository', () => {
  test('have a default for everything', () => {
    expect(parseRepositorySettings({}, 'test')).toEqual({
      schema: 1,
      trackers: [],
      webSeeds: [],
      expiryDays: { root: 365, targets: 365, product: 365, snapshot: 7, timestamp: 1 },
    })
  })

  test('read back as they were written', () => {
    const settings = parseRepositorySettings({ url: 'https://u.example/r', trackers: ['udp://t.example:1'] }, 'test')
    expect(settings.url).toBe('https://u.example/r/')
    expect(parseRepositorySettings(JSON.parse(serializeRepositorySettings(settings)), 'test')).toEqual(settings)
  })

  test.each<[string, unknown]>([
    ['no object', []],
    ['an unknown name', { trakcers: [] }],
    ['a newer schema', { schema: 2 }],
    ['a file as address', { url: 'file:///etc' }],
    ['an address with a password', { url: 'https://me:secret@u.example/' }],
    ['an address with a query', { url: 'https://u.example/?a' }],
    ['a tracker of no known kind', { trackers: ['gopher://t.example'] }],
    ['too many trackers', { trackers: Array(16).fill('udp://t.example:1') }],
    ['expiry days left out', { expiryDays: { root: 365 } }],
    [
      'a timestamp that expires at once',
      { expiryDays: { root: 1, targets: 1, product: 1, snapshot: 1, timestamp: 0 } },
    ],
  ])('refuse %s', (_, value) => {
    expect(() => parseRepositorySettings(value, 'test')).toThrow(expect.objectContaining({ code: 'SETTINGS_INVALID' }))
  })

  test('are refused with the file if they are not JSON, and missing if it is no repository', async () => {
    await using workspace = await openWorkspace()
    await expect(readRepositorySettings(workspace.repository)).rejects.toMatchObject({ code: 'REPOSITORY_INVALID' })
    await writeTree(workspace.repository, { 'repository.json': '{' })
    await expect(readRepositorySettings(workspace.repository)).rejects.toMatchObject({
      code: 'SETTINGS_INVALID',
      message: expect.stringContaining('repository.json'),
    })
    await writeFile(join(workspace.directory, 'file'), '')
    await expect(readRepositorySettings(join(workspace.directory, 'file'))).rejects.toMatchObject({
      code: 'REPOSITORY_INVALID',
    })
  })
})
