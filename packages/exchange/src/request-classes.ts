/**
 * What a request is for, and up to which share of a limit it is sent. Each class leaves room for the next, so that a
 * busy pipeline loses its freshness before its orders. `catch_up`: what the user data stream did not tell; without room of
 * its own it would wait for the next minute after an outage in which refreshes have used theirs. `vital`: an order in doubt,
 * the clock, the listen key, the rules. Beyond the limit itself the venue would answer with a pause that also keeps orders.
 * `exit`: an operator's flatten or close, which nothing but the venue may hold back.
 */
export const CEILINGS = {
  audit: 0.5,
  refresh: 0.75,
  catch_up: 0.9,
  order: 0.9,
  vital: 1,
  exit: Infinity,
} as const;
export type RequestClass = keyof typeof CEILINGS;
