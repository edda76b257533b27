import { testLane } from './lane.ts'

testLane('latest')
