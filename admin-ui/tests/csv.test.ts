import { expect, test } from 'vitest'
import { toCsv } from '../src/features/statistics/csv'

test.each([
  ['=1+1', "'=1+1"],
  ['Plain;@SUM(1+1)', "Plain;'@SUM(1+1)"],
  ['a,+1', "a,'+1"],
  ['a; "=1', 'a;\' "=1'],
  ['a\n=1', "a\n'=1"],
  ['a\r\n-1', "a\r\n'-1"],
  ['\r=1', "'\r'=1"],
  ['\t=1', "'\t'=1"],
  ['\uFF1D1', "'\uFF1D1"],
  ['a; b, c = 1 - 2\nd', 'a; b, c = 1 - 2\nd'],
])('no cell of %j starts a formula', (text, expected) => {
  expect(toCsv([[text, -1]])).toBe(`\uFEFF"${expected.replaceAll('"', '""')}","-1"\r\n`)
})
