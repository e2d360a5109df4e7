import { checkPointer, editsFor, pointerFault } from '@sojourn/core/internal'
import { describe, expect, test } from 'vitest'

describe('pointers', () => {
  test.each([
    ['/a'],
    ['/a/b/c'],
    ['/'],
    ['//'],
    ['/a//b'],
    ['/~0'],
    ['/~1'],
    ['/~01'],
    ['/é/🛒'],
    ['/ '],
    ['/0'],
    ['/toString'],
    ['/a/constructor'],
    ['/prototype/a'],
    ['/__proto__x'],
    ['/\0'],
  ])('[DATA-1] %j names a field', (pointer) => {
    expect(pointerFault(pointer)).toBeUndefined()
    expect(checkPointer(pointer)).toBe(pointer)
  })

  test.each([
    [''],
    ['a'],
    ['a/b'],
    ['/~'],
    ['/a~'],
    ['/~2'],
    ['/a/~/b'],
    ['/__proto__'],
    ['/a/__proto__/b'],
    ['/\ud800'],
    ['/a/\udc00'],
    ['#/a'],
  ])('[DATA-1] %j names none', (pointer) => {
    expect(pointerFault(pointer)).toEqual(expect.any(String))
    expect(() => checkPointer(pointer)).toThrow(expect.objectContaining({ code: 'INVALID_DATA', path: pointer }))
  })

  test.each([[undefined], [null], [1], [['/a']], [{}]])('[DATA-1] %j is no pointer', (pointer) => {
    expect(() => checkPointer(pointer as unknown as string)).toThrow(expect.objectContaining({ code: 'INVALID_DATA' }))
  })

  test.each([
    [{ 'a/b': 1 }, '/a~1b'],
    [{ '~': 1 }, '/~0'],
    [{ '~1': 1 }, '/~01'],
    [{ '~0/': 1 }, '/~00~1'],
    [{ '': 1 }, '/'],
    [{ '': { '': 1 } }, '//'],
    [{ a: { 'b/c': { '~': 1 } } }, '/a/b~1c/~0'],
  ])('[DATA-1] the field of %j is %j', (data, pointer) => {
    const counters = new Set([pointer])
    expect(editsFor(data, { maxDepth: 8, counters }).at(-1)).toMatchObject({ kind: 'increment', path: pointer, by: 1 })
  })
})
