/** Calls of the session API that are answered in the turn in which they are made, where nothing is to be waited for. */
import type { IsAssigned } from './document/diff.js'
import type { ReadOptions, ReplaceOptions, TouchOptions } from './options.generated.js'
import type { AnyData, Session } from './session.js'

/** What is there already, or will be. */
export type Soon<T> = T | Promise<T>

/**
 * What an adapter may ask instead of `get`, `touch` and `replace`, where `sessions` offers it: the same answers, without a promise where memory has
 * them. What those reject with, these throw, or reject with where they had to wait. Not for applications, for which one way is simpler.
 *
 * @internal
 */
export interface AtOnce {
  getNow<T extends object = AnyData>(id: string, options?: ReadOptions): Soon<Session<T> | undefined>
  touchNow<T extends object = AnyData>(id: string, options?: TouchOptions): Soon<Session<T> | undefined>
  /** @param isAssigned says at once what the option `assigned` lists; default: by that option */
  replaceNow<T extends object = AnyData>(
    id: string,
    next: T,
    options?: ReplaceOptions,
    isAssigned?: IsAssigned,
  ): Soon<Session<T>>
}
