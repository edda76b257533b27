/** Sources run as they are: the transform only strips types (see test/support/strip-types.mjs). */
export default {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '\\.ts$': '<rootDir>/test/support/strip-types.mjs' },
  transformIgnorePatterns: ['/node_modules/'],
  modulePathIgnorePatterns: ['<rootDir>/.data', '/dist/'],
  testSequencer: '<rootDir>/test/support/sequencer.mjs',
  testTimeout: 60_000,
  maxWorkers: 2,
}
