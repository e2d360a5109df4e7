/** Whoever reads the docstring of a public function sees how it is called. */

import * as automerge from '@sojourn/automerge'
import * as client from '@sojourn/client'
import * as core from '@sojourn/core'
import * as express from '@sojourn/express'
import * as identity from '@sojourn/identity'
import * as net from '@sojourn/net'
import * as replica from '@sojourn/replica'
import * as server from '@sojourn/server'
import * as store from '@sojourn/store'
import { describe, expect, it } from 'vitest'
import { filesBelow, readSource } from '../support/sources.js'

const FACES = { automerge, client, core, express, identity, net, replica, server, store }

const sources = filesBelow('packages', '.ts')
  .filter((path) => path.includes('/src/'))
  .map(readSource)

/** Whether a declaration of this name has an example in the docstring before it. */
const hasExample = (name: string): boolean => {
  const declared = new RegExp(
    `(/\\*\\*(?:(?!\\*/)[\\s\\S])*\\*/\\s*)?export (?:const|class|async function|function) ${name}\\b`,
  )
  return sources.some(({ text }) => declared.exec(text)?.[1]?.includes('@example'))
}

describe('[FACE-3] what a package shows has an example', () => {
  it.each(Object.entries(FACES))('of @sojourn/%s', (_name, face) => {
    const functions = Object.entries(face).filter(([, value]) => typeof value === 'function')
    expect(functions.length).toBeGreaterThan(0)
    expect(functions.map(([name]) => name).filter((name) => !hasExample(name))).toEqual([])
  })

  it('of the session API, each method, too', () => {
    const { text } = readSource('packages/core/src/session.ts')
    const api = text.slice(text.indexOf('export interface SessionApi'))
    const methods = [...api.matchAll(/^ {2}(\w+)(?:<[^>]*>)?\(/gm)].map(([, name]) => name!)
    expect(methods).toContain('update')
    const without = methods.filter((name) => {
      const before = api.slice(0, api.search(new RegExp(`^ {2}${name}\\b`, 'm')))
      return !before.slice(before.lastIndexOf('/**')).includes('@example')
    })
    expect(without).toEqual([])
  })
})
