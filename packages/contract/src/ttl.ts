/** TTLs of keys, in seconds, where no variable sets them. */
const HOUR_SEC = 3_600;
const DAY_SEC = 24 * HOUR_SEC;
/** Longer than an outage, and than the time between an attempt and the operators' reset. */
const WEEK_SEC = 7 * DAY_SEC;

export const TTL_SEC = {
  published: 300,
  /** The plan's record, from the opening of an attempt on. */
  plan: DAY_SEC,
  spent: WEEK_SEC,
  /** An order key, once it is settled. As long as its spent permits. */
  order: WEEK_SEC,
  /** An issuer's mark of a plan whose order was or may have been executed. As long as the order. */
  booked: WEEK_SEC,
  /** An issuer's answers, unless a variable sets it. */
  permit: 60,
  denial: HOUR_SEC,
  disarmOfDay: DAY_SEC,
  snapshot: HOUR_SEC,
  ledger: DAY_SEC,
  /** Each proposal of a close renews it. */
  closeWanted: DAY_SEC,
  /** The governor renews them: they end with it. */
  governorLimits: DAY_SEC,
} as const;
