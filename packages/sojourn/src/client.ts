/** What `sojourn/client` offers: all of @sojourn/client. */
export * from '@sojourn/client'
