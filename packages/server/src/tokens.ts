/** What a token allows. Each contains the one before. */
export type Scope = 'read' | 'write' | 'admin'

const SCOPES: readonly Scope[] = ['read', 'write', 'admin']

/** Who presented a token. */
export interface Bearer {
  readonly name: string
  readonly scope: Scope
}

export interface TokenBook {
  /** In constant time. */
  check(presented: string): Bearer | undefined
}

export const allows = (scope: Scope, needed: Scope): boolean => SCOPES.indexOf(scope) >= SCOPES.indexOf(needed)
