// What the settings no longer keep goes with the next look, also while nothing is new.
import { expect, test } from '@jest/globals'
import { openCycling } from '../support/cycling.ts'

test('older versions go once the settings keep fewer, and not before', async () => {
  await using cycling = await openCycling(4)
  cycling.configure({ versionsKept: 4 })
  for (let number = 0; number < 4; number += 1) await cycling.cycle('new')
  const all = ['1.0.0', '1.1.0', '1.2.0', '1.3.0']
  expect(cycling.versions()).toEqual([all, all])
  await cycling.cycle('same')
  expect(cycling.versions()).toEqual([all, all])
  cycling.configure({ versionsKept: 2 })
  await cycling.cycle('same')
  expect(cycling.versions()).toEqual([all.slice(2), all.slice(2)])
  cycling.configure({ versionsKept: 4 })
  await cycling.cycle('same')
  expect(cycling.versions()).toEqual([all.slice(2), all.slice(2)])
})
