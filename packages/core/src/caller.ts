/** How a server marks the calls that it makes for a client, so that it can give up what a client that is gone was waiting for. */

/** In the options of a call: whom it is made for. Not for applications; a client does not send it. */
export const CALLER: unique symbol = Symbol('sojourn.caller')

/** What {@link CALLER} adds to the options of a call. Any object: it is compared, never read. */
export interface CalledFor {
  readonly [CALLER]?: object
}

/** Whom a call is made for, where that was said. */
export const callerOf = (options: object | undefined): object | undefined =>
  (options as CalledFor | undefined)?.[CALLER]
