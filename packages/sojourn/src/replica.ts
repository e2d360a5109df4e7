/** What `sojourn/replica` offers: all of @sojourn/replica. */
export * from '@sojourn/replica'
