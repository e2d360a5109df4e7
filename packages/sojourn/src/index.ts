/** What `sojourn` offers: a replica, a client, the store for express-session, and what all of them share. */
export { Client, type ClientLimits, type ClientOptions, type ClientStatus, connect } from '@sojourn/client'
export * from '@sojourn/core'
export { SojournStore, type SojournStoreOptions } from '@sojourn/express'
export { openReplica, Replica, type ReplicaEvents, type ReplicaOptions, type ReplicaStatus } from '@sojourn/replica'
