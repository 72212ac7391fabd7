// What follows from what: while a cause fires, Alertmanager sends no message of its consequences, so that one incident
// is one message. Every cause is critical, so whoever is on call has been told. Tests compare the names with the rules.
//
// A critical alert is a consequence only of what stops the same work: the same service, the same symbol, or everything.
// What nobody may miss is no consequence of anything: orders in doubt, corrections, forced closes, distrusted permits.
// There is no circle: two alerts that silence each other would both be silent.

/** Operators or the governor have stopped everything. */
const HALTS = ["KillSwitchOn", "Disarmed"];

/** A service cannot do its work. */
const OUT_OF_WORK = [
  "ServiceDown",
  "RestartLoop",
  "ServiceNotReady",
  "RedisUnreachable",
  "ClockOffset",
  "StreamReaderStalled",
];

/** Many plans are blocked. */
const BLOCKS = ["PermitBlockShareHigh", "PermitBlocksFrequent"];

/** Something is slow or behind. */
const BEHIND = ["PermitWaitSlow", "StreamLagHigh", "StreamPendingHigh", "StreamEntryStuck"];

/** Without one of these no plan is executed. */
export const NEEDED = ["apply-layer", "governor", "position-brain", "executor"];

/**
 * @typedef {object} Alerts
 * @property {readonly string[]} alerts
 * @property {readonly string[]} [jobs] Of these services only.
 *
 * @typedef {object} Incident
 * @property {Alerts} cause Any of them.
 * @property {Alerts} consequence
 * @property {readonly string[]} [equal] Labels that both have, with the same value.
 */

/** @type {readonly Incident[]} */
export const INCIDENTS = [
  { cause: { alerts: HALTS }, consequence: { alerts: ["CloseUnfulfilled", ...BLOCKS] } },

  // Of one service, what says why silences what says that.
  {
    cause: { alerts: ["RedisUnreachable", "ClockOffset", "StreamReaderStalled", "RestartLoop"] },
    consequence: { alerts: ["ServiceNotReady"] },
    equal: ["job"],
  },
  {
    cause: { alerts: ["RedisUnreachable"] },
    consequence: { alerts: ["StreamReaderStalled"] },
    equal: ["job"],
  },
  { cause: { alerts: ["RestartLoop"] }, consequence: { alerts: ["ServiceDown"] }, equal: ["job"] },
  {
    cause: { alerts: ["OrdersUnowned"] },
    consequence: { alerts: ["ServiceNotReady"], jobs: ["executor"] },
  },
  {
    cause: { alerts: ["SnapshotStale"] },
    consequence: { alerts: ["ServiceNotReady"], jobs: ["position-brain"] },
  },
  {
    cause: { alerts: ["ExchangePaused"] },
    consequence: { alerts: ["ServiceNotReady"], jobs: ["executor", "position-brain"] },
  },

  // What no plan gets past.
  {
    cause: { alerts: OUT_OF_WORK },
    consequence: { alerts: ["IssuerSilent", "ExchangeStreamDown"] },
    equal: ["job"],
  },
  {
    cause: { alerts: ["RedisUnreachable"], jobs: ["executor"] },
    consequence: { alerts: ["OrdersUnowned"] },
  },
  {
    cause: { alerts: ["RedisUnreachable"], jobs: ["position-brain"] },
    consequence: { alerts: ["SnapshotStale"] },
  },
  { cause: { alerts: ["RedisUnreachable"] }, consequence: { alerts: ["ConsoleDown"] } },
  {
    cause: { alerts: ["ExchangePaused"] },
    consequence: { alerts: ["SnapshotStale", "ExchangeStreamDown", "ExchangeLimitNear"] },
  },
  {
    cause: { alerts: ["ServiceDown"], jobs: NEEDED },
    consequence: { alerts: ["BacklogFull", "CloseUnfulfilled"] },
  },
  {
    cause: { alerts: ["IssuerSilent", "OrdersUnowned"] },
    consequence: { alerts: ["BacklogFull", "CloseUnfulfilled"] },
  },
  {
    cause: { alerts: ["SnapshotStale", "DriftHold"] },
    consequence: { alerts: ["CloseUnfulfilled"] },
    equal: ["symbol"],
  },
  { cause: { alerts: OUT_OF_WORK, jobs: ["apply-layer"] }, consequence: { alerts: ["NoProposals"] } },

  // Warnings that tell nothing more.
  { cause: { alerts: OUT_OF_WORK, jobs: NEEDED }, consequence: { alerts: [...BLOCKS, ...BEHIND] } },
  {
    cause: { alerts: ["IssuerSilent", "OrdersUnowned", "BacklogFull", "ExchangePaused"] },
    consequence: { alerts: [...BLOCKS, ...BEHIND] },
  },
  { cause: { alerts: ["SnapshotStale", "DriftHold", "OrderInDoubt"] }, consequence: { alerts: BLOCKS } },
];

/**
 * Consequences that look five minutes back, and so outlast their cause: they are silenced for six minutes longer, the others
 * for one. The alert IncidentCause has these times.
 */
export const LOOKING_BACK = [...BLOCKS, "PermitWaitSlow", "IssuerSilent", "BacklogFull", "NoProposals"];
