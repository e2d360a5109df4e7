/** What is counted of all connections of clients since the listener began. */
export interface ClientTotals {
  accepted: number
  /** Connections refused or given up, by code. */
  readonly refused: Record<string, number>
  requests: number
  /** Writes that came again and were answered from memory. */
  answeredFromMemory: number
  /** Changes sent to clients that keep what they read. */
  invalidations: number
  bytesIn: number
  bytesOut: number
}

export const noTotals = (): ClientTotals => ({
  accepted: 0,
  refused: {},
  requests: 0,
  answeredFromMemory: 0,
  invalidations: 0,
  bytesIn: 0,
  bytesOut: 0,
})
