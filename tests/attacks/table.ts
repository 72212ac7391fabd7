/**
 * The attacks of docs/security.md: what each has to write to Redis, and who can. The tests beside this folder carry them
 * out; a test compares the document with this table.
 */
import { createKeys } from "@quantum/contract";

const keys = createKeys();
const { streams } = keys;
const PLAN = "00000000000000aa";
const SYMBOL = "BTCUSDT";

type Command = readonly [command: string, ...words: string[]];

const APPEND_ENTRY: Command = ["xadd", streams.execute, "*", "plan_id", PLAN];
const NAME_ENTRY: Command = ["set", keys.spent(PLAN), `OK 1-1 1 1 1-1 ${SYMBOL}`];
const ENTRY_OF_ITS_OWN: readonly Command[] = [APPEND_ENTRY, NAME_ENTRY];
const BOTH_PERMITS: readonly Command[] = [
  ["set", keys.permit("governor", PLAN), "{}"],
  ["set", keys.permit("p33", PLAN), "{}"],
];

export interface Attack {
  readonly writes: readonly Command[];
  /** The users whose rights suffice for all of it; `admin` can do everything. */
  readonly by: readonly string[];
  /** The commands at which Redis stops the others. */
  readonly stopsAt: readonly string[];
}

const replay: Attack = {
  writes: [["del", keys.order(PLAN)], ["del", keys.plan(PLAN)], ...ENTRY_OF_ITS_OWN],
  by: [],
  stopsAt: ["del"],
};
const ownEntry: Attack = {
  writes: ENTRY_OF_ITS_OWN,
  by: ["apply-layer", "operator"],
  stopsAt: ["xadd"],
};
const forgedPermits: Attack = { writes: BOTH_PERMITS, by: [], stopsAt: ["set"] };

/** By the name that the document gives it. */
export const ATTACKS = {
  "unsigned permits": forgedPermits,
  "forged permits, signed by a key that no executor lists": forgedPermits,
  "a key id that is not listed": forgedPermits,
  "a governor that signs for P3.3": {
    writes: [["set", keys.permit("p33", PLAN), "{}"]],
    by: ["p33"],
    stopsAt: ["set"],
  },
  "a permit of another plan": ownEntry,
  "a permit of another symbol": ownEntry,
  "a permit of another attempt": ownEntry,
  "an attempt reused with another plan id": ownEntry,
  "a text joined from two permits": ownEntry,
  "an enlarged quantity in the permit": {
    writes: [["set", keys.permit("p33", PLAN), "{}"]],
    by: ["p33"],
    stopsAt: ["set"],
  },
  "an enlarged quantity in the entry and in `spent`": ownEntry,
  "a changed side": ownEntry,
  "a changed share": ownEntry,
  "a changed step": ownEntry,
  "a changed mode": ownEntry,
  "permits of a dry run in paper mode": {
    writes: [["hset", keys.plan(PLAN), "mode", "paper"]],
    by: ["apply-layer", "executor", "governor", "operator", "p26", "p33"],
    stopsAt: ["hset"],
  },
  "a changed class": ownEntry,
  "fewer issuers": ownEntry,
  "two texts of one issuer": ownEntry,
  "expired permits": ownEntry,
  "`spent` forged, naming the attacker's entry": ownEntry,
  "a second entry for a plan that is executed": {
    writes: [APPEND_ENTRY],
    by: ["apply-layer", "operator"],
    stopsAt: ["xadd"],
  },
  "a record edited": {
    writes: [["hset", keys.plan(PLAN), "state", "PERMITTED"]],
    by: ["apply-layer", "executor", "governor", "operator", "p26", "p33"],
    stopsAt: ["hset"],
  },
  "an entry of 10 MB": {
    writes: [APPEND_ENTRY],
    by: ["apply-layer", "operator"],
    stopsAt: ["xadd"],
  },
  "the claim deleted, the entry replayed": replay,
  "the same, with the executor restarted": replay,
  "the same, with a second executor": replay,
  "the same, and the owner of the orders forged": {
    ...replay,
    writes: [...replay.writes, ["hset", keys.orderOwner, "instance", "executor@host"]],
  },
  "the kill switch deleted": {
    writes: [["del", keys.killSwitch]],
    by: ["operator"],
    stopsAt: ["del"],
  },
  "results forged to release limits": {
    writes: [["xadd", streams.result, "*", "plan_id", PLAN]],
    by: ["apply-layer", "executor"],
    stopsAt: ["xadd"],
  },
  "executions deleted from the governor's books": {
    writes: [
      ["del", keys.reservations("governor", SYMBOL).executions],
      ["del", keys.reservations("governor", SYMBOL).charges],
      ["del", keys.reservations("governor", SYMBOL).totals],
    ],
    by: ["governor"],
    stopsAt: ["del"],
  },
  "a snapshot and a ledger enlarged": {
    writes: [
      ["hset", keys.snapshot(SYMBOL), "position_amt", "62"],
      ["hset", keys.ledger(SYMBOL), "last_known_amt", "62"],
    ],
    by: ["p33"],
    stopsAt: ["hset"],
  },
  "a stray `hold.accept`": {
    writes: [["xadd", streams.operatorAudit, "*", "action", "hold.accept"]],
    by: ["operator"],
    stopsAt: ["xadd"],
  },
  "a plan of the attacker's own": {
    writes: [["xadd", streams.plan, "*", "plan_id", PLAN]],
    by: ["apply-layer", "operator"],
    stopsAt: ["xadd"],
  },
  "an exit signed by somebody who is not enrolled": ownEntry,
  "an exit signed with a service's key": ownEntry,
  "an exit signed with a service's key in the operator's name": ownEntry,
  "an exit signed with a retired key": ownEntry,
  "an exit with another quantity than was signed": ownEntry,
  "an exit of another account": ownEntry,
  "an exit of another venue": ownEntry,
  "an exit of another mode": ownEntry,
  "an exit under another plan id": ownEntry,
  "an exit for another symbol": ownEntry,
  "an exit found later": ownEntry,
  "an exit beside issuers' permits": ownEntry,
  "a drill's text in the place of an exit's": ownEntry,
  "issuers' permits that entry and record call an exit": ownEntry,
  "an exit replayed": ownEntry,
} as const satisfies Readonly<Record<string, Attack>>;

export type AttackName = keyof typeof ATTACKS;
