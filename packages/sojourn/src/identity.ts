/** What `sojourn/identity` offers: all of @sojourn/identity. */
export * from '@sojourn/identity'
