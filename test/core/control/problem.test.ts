// An error goes over the wire as problem details and comes out as the error that it was.
import { expect, test } from '@jest/globals'
import { problemSchema } from '@updraft/core/control/api'
import { errorOfProblem, problemOf } from '@updraft/core/control/problem'
import { ERROR_CODES, type ErrorCode, UpdateError } from '@updraft/core/errors'

test.each(Object.keys(ERROR_CODES) as ErrorCode[])('%s keeps code, message and hint', (code) => {
  const problem = problemOf(new UpdateError(code, 'what happened', { hint: 'what to do' }))
  expect(problemSchema.parse(problem)).toEqual(problem)
  expect(problem.status).toBeGreaterThanOrEqual(400)
  expect(errorOfProblem(problem)).toMatchObject({ code, message: 'what happened', hint: 'what to do' })
})

test('a defect is called one, and shows no stack', () => {
  const problem = problemOf(new TypeError('x is undefined'))
  expect(problem).toMatchObject({ status: 500, code: 'DEFECT', detail: 'x is undefined' })
  expect(JSON.stringify(problem)).not.toContain('.test.ts')
})

test.each(['DEFECT', 'FUTURE_CODE', 'constructor', '__proto__'])(
  'a problem of the unknown code %s is still told',
  (code) => {
    const problem = { type: 't', title: 't', status: 500, detail: 'what happened', code }
    expect(errorOfProblem(problem)).toMatchObject({
      code: 'CONTROL_INVALID',
      message: expect.stringContaining('what happened'),
    })
  },
)
