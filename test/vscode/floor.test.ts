import { testLane } from './lane.ts'

testLane('floor')
