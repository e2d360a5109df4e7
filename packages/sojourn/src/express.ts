/** What `sojourn/express` offers: all of @sojourn/express. */
export * from '@sojourn/express'
