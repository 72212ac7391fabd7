/**
 * Every key and stream name of the system, built here and nowhere else. Source: docs/wire.md, "Keys" and docs/wire.md, "Streams".
 *
 * Without a partition they are the wire's. The keys of a partition have its tag behind their family, such as
 * `quantum:apply:{q3}:plan:…`, so that one slot of a Redis Cluster holds all of them (docs/wire.md, "Partitions"). A script's keys are built
 * by one `Keys`, and so they lie together.
 */
import { issuerOf, type StreamName } from "@quantum/topology";

export type Keys = ReturnType<typeof createKeys>;

interface Layout {
  /**
   * From 0; `*` makes globs that match every partition's keys; `intake` those of {@link createIntakeKeys}. None: the
   * wire's layout.
   */
  readonly partition?: number | "*" | "intake";
}

export function createKeys({ partition }: Layout = {}) {
  const wire = (name: string) => `quantum:${name}`;
  // Publishers know no partitions.
  const proposal = wire("stream:harvest.proposal");
  const tag = partition === "intake" ? `{${proposal}}` : `{q${partition}}`;
  const key = partition === undefined ? wire : (name: string) => wire(withTag(name, tag));
  return {
    streams: {
      proposal,
      plan: key("stream:apply.plan"),
      permit: key("stream:apply.permit"),
      execute: key("stream:apply.execute"),
      result: key("stream:apply.result"),
      governorEvents: key("stream:governor.events"),
      deadLetter: key("stream:dead_letter"),
      operatorAudit: key("stream:operator.audit"),
    } satisfies Record<StreamName, string>,
    proposal: (symbol: string) => wire(`harvest:proposal:${symbol}`),

    plan: (planId: string) => key(`apply:plan:${planId}`),
    dedupe: (planId: string) => key(`apply:dedupe:${planId}`),
    published: (planId: string) => key(`apply:stream_published:${planId}`),
    /** ZSET plan id → deadline (ms): the plans that wait for permits. */
    waiting: (symbol: string) => key(`apply:waiting:${symbol}`),
    /** SET of symbols that ever had a waiting plan; a sweep reads `waiting` of each. */
    waitingSymbols: key("apply:symbols"),

    /** The governor's permits have no issuer in their name (docs/wire.md, "Keys"); all others do. */
    permit: (issuer: string, planId: string) => key(`${issuerOf(issuer).permitKey}:${planId}`),
    block: (issuer: string, planId: string) => key(`${issuer}:block:${planId}`),
    spent: (planId: string) => key(`permit:spent:${planId}`),

    /** STRING: what an issuer has booked of a plan that ended; see lua/permits/settle_reservation.lua. */
    booked: (issuer: string, planId: string) => key(`${issuer}:booked:${planId}`),

    /** What an issuer has reserved and charged for a symbol; see lua/permits/reservations.lua. */
    reservations: (issuer: string, symbol: string) => ({
      open: key(`${issuer}:reserved:${symbol}`),
      expiry: key(`${issuer}:reserved_expiry:${symbol}`),
      totals: key(`${issuer}:totals:${symbol}`),
      executions: key(`${issuer}:executions:${symbol}`),
      charges: key(`${issuer}:charges:${symbol}`),
    }),

    killSwitch: key("global:kill_switch"),
    /** STRING: what the wire's kill switch was last read as (lua/halts/see_kill_switch.lua); in the wire's layout, that itself. */
    killSwitchSeen: key(partition === undefined ? "global:kill_switch" : "global:kill_switch_seen"),
    disarm: key("governor:disarm"),
    disarmOf: (utcDay: string) => key(`governor:disarm:${utcDay}`),
    /** HASH: the governor's limits of a symbol, as its variables set them. */
    governorLimits: key("governor:limits"),
    /** HASH: whether an operator could close everything now: enrolled keys, and the last drill. */
    exit: key("exit"),

    order: (planId: string) => key(`order:${planId}`),
    /** HASH plan id → its execute entry: plans whose permits are spent and whose order has no outcome yet. */
    handedOver: key("order:handed_over"),
    /** ZSET plan id → claim time (ms): orders claimed and not settled. */
    unsettled: (symbol: string) => key(`order:unsettled:${symbol}`),
    /** SET of plan ids whose order is UNKNOWN: while it is not empty, P3.3 denies the symbol. */
    unknown: (symbol: string) => key(`order:unknown:${symbol}`),
    /** ZSET plan id → when it ended (ms): orders that ended by evidence of absence, queried in case one shows up. */
    absent: (symbol: string) => key(`order:absent:${symbol}`),
    /** HASH plan id → its claim: a lost order key of such an order is rebuilt from it. */
    absentClaims: key("order:absent_claims"),
    /** SET of symbols that ever had an order; recovery reads `unsettled` of each. */
    orderSymbols: key("order:symbols"),

    /** STRING written once: if it is missing, claims may be missing as well. */
    orderEpoch: key("order:epoch"),

    /** HASH: which executor sends orders, since when, and when it was last seen. */
    orderOwner: key("order:owner"),

    /** STRING JSON whose TTL is the end of the pause: the exchange accepts no `requests`, or no `orders`. */
    exchangePause: (scope: "requests" | "orders") => key(`exchange:pause:${scope}`),

    /** HASH: what each process has spent and holds of a limit of the exchange; `whose` is an egress or an account. */
    exchangeBudget: (kind: "weight_1m" | "orders_1m" | "orders_10s", whose: string) =>
      key(`exchange:budget:${kind}:${whose}`),

    snapshot: (symbol: string) => key(`position:snapshot:${symbol}`),
    ledger: (symbol: string) => key(`position:ledger:${symbol}`),
    /** STRING: since when (ms) a close has been proposed and nothing executed; see lua/ledger/want_close.lua. */
    closeWanted: (symbol: string) => key(`position:close_wanted:${symbol}`),
    /** HASH: when the last refresh of all positions began, and when one last succeeded. */
    refreshTurn: key("position:refresh"),
    /** HASH: which position-brain books the account's events, since when, and when it was last seen. */
    booker: key("position:booker"),

    /** STRING: how many partitions there are, in every layout the same key; absent: one. */
    partitions: wire("partitions"),

    /** Never exists: a write to it that changes nothing shows whether Redis accepts writes. */
    probe: key("probe"),

    /** Glob of every key of ours, of any layout. */
    all: wire("*"),

    /** Prefix of keys left over from versions with BullMQ; nothing reads them. */
    jobs: wire("jobs"),
  };
}

/**
 * Keys for what consumes proposals: its dead letters and their audit are in the slot of the proposals' stream, because an entry becomes a
 * dead letter, and comes back, in one step. A tag that is the stream's whole name has its slot. With one partition they are the wire's.
 */
export function createIntakeKeys(partitions: number): Keys {
  return createKeys(partitions === 1 ? {} : { partition: "intake" });
}

/** Behind the first part of the name, which is its family. */
function withTag(name: string, tag: string): string {
  const end = name.indexOf(":");
  return end === -1 ? `${name}:${tag}` : `${name.slice(0, end)}:${tag}${name.slice(end)}`;
}

const TAG = /:\{q(\d+|\*)\}/;

/** The partition in a key's tag, as text; undefined for a key of the wire. */
function partitionIn(key: string): string | undefined {
  return TAG.exec(key)?.[1];
}

type FixedName = {
  [Name in keyof Keys]: Keys[Name] extends string ? Name : never;
}[keyof Keys];

/** As Redis's TYPE names them. A fixed key without one fails the type check. */
const TYPES: Readonly<Record<Exclude<FixedName, "jobs" | "all">, string>> = {
  waitingSymbols: "set",
  killSwitch: "string",
  killSwitchSeen: "string",
  disarm: "string",
  governorLimits: "hash",
  exit: "hash",
  handedOver: "hash",
  absentClaims: "hash",
  orderSymbols: "set",
  orderEpoch: "string",
  orderOwner: "hash",
  refreshTurn: "hash",
  booker: "hash",
  partitions: "string",
  probe: "stream",
};

/**
 * The types of the keys and streams that belong to no symbol or plan: one of the wrong type stops all its readers. Only of those
 * that lie together: a partition has no stream of proposals, for one.
 */
export function typesOfKeys(keys: Keys): [key: string, type: string][] {
  const types = new Map([
    ...Object.values(keys.streams).map((stream): [string, string] => [stream, "stream"]),
    ...Object.entries(TYPES).map(([name, type]): [string, string] => [
      keys[name as keyof typeof TYPES],
      type,
    ]),
  ]);
  return [...types].filter(([key]) => partitionIn(key) === partitionIn(keys.probe));
}

/** Streams of which at least one exists wherever services have worked with these keys: their groups are made at the start. */
export function signsOfUse({ streams }: Keys): string[] {
  return [streams.plan, streams.execute, streams.result];
}

/** The UTC day of a time, as in `quantum:governor:disarm:{YYYY-MM-DD}`. */
export function utcDay(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 10);
}
