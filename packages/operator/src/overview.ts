/** The pipeline as it is now: what `permitctl status` and the console's first screen show. */
import { CLOCK_BOUND_MS, type WaitOutcome } from "@quantum/contract";
import { clocksApart, notDurable } from "@quantum/redis";
import type { KillSwitch } from "@quantum/service-kit";
import type { OpenAccess } from "./access.ts";
import { type ExitState, exitText, readExitState, whyNotArmed } from "./exit/state.ts";
import { type Group, readGroups, readServices, type Service } from "./groups.ts";
import { type AllHalts, readAllHalts, whereText } from "./all-halts.ts";
import type { Disarm, KillRecord } from "./halts.ts";
import { countDeadLetters } from "./dead-letters.ts";
import { killText } from "./halt-texts.ts";
import { KnownSymbols } from "./known-symbols.ts";
import { type Caps, readCaps } from "./limits.ts";
import { type ExchangePause, readPauses } from "./pauses.ts";
import type { Place } from "./place.ts";
import type { PlanRow } from "./plan-rows.ts";
import { Probes } from "./probes.ts";
import { reachOf } from "./reach.ts";
import { readSymbols, type SymbolState } from "./symbols.ts";
import { lastResultOf } from "./unfulfilled.ts";
import { WaitTally } from "./wait-tally.ts";
import { type LastWait, lastWait } from "./waits.ts";
import { readWaiting, type WaitingPlan } from "./waiting-plans.ts";

export interface Overview {
  /** By Redis's clock. */
  atMs: number;
  redis: { url: string; version: string; notDurable: readonly string[] };
  /** `text`: by whom and why it is on; "" while it is off. */
  killSwitch: KillSwitch & { text: string };
  /** Of a kill switch that is on. */
  killRecord: KillRecord | null;
  disarm: Disarm | null;
  /** `text`: the keys, the last drill and, unless it is armed, why not. */
  exit: { state: ExitState; armed: boolean; text: string };
  pauses: readonly ExchangePause[];
  /** Those whose closes are not fulfilled come first. */
  symbols: readonly SymbolState[];
  waiting: readonly WaitingPlan[];
  /** More wait than `waiting` shows. */
  moreWaiting: number;
  services: readonly Service[];
  groups: readonly Group[];
  lastOk: LastWait | undefined;
  lastBlock: LastWait | undefined;
  deadLetters: number;
  /** Partitions of which nothing is told here, a sentence each. What is said of all is said of the others. */
  silent: readonly string[];
}

/** What one who looks again and again keeps from one overview to the next. */
export class OverviewMemory {
  /** While it is followed ({@link followEnds}), the last verdicts and results come from it. */
  readonly tally = new WaitTally();
  readonly symbols = new KnownSymbols();
  readonly probes = new Probes();
  /** What the streams held that the tally has not seen: looked for once, since what is newer comes through the tally. */
  readonly #older = new Map<string, Promise<unknown>>();

  lastWait(access: Pick<OpenAccess, "partitions">, kind: WaitOutcome["kind"]): Promise<LastWait | undefined> {
    const { lastOk, lastBlock } = this.tally;
    const seen = kind === "ok" ? lastOk : lastBlock;
    if (seen !== undefined) return Promise.resolve(seen);
    return this.#once(`wait ${kind}`, () => lastWait(access, kind));
  }

  lastResultOf(access: Pick<OpenAccess, "partitions">, symbol: string): Promise<PlanRow | undefined> {
    const seen = this.tally.lastResultOf(symbol);
    if (seen !== undefined) return Promise.resolve(seen);
    return this.#once(`result ${symbol}`, () => lastResultOf(access, symbol));
  }

  #once<T>(what: string, look: () => Promise<T>): Promise<T> {
    if (!this.tally.hasBegun) return look();
    const known = this.#older.get(what) as Promise<T> | undefined;
    if (known !== undefined) return known;
    const looking = look();
    this.#older.set(what, looking);
    looking.catch(() => this.#older.delete(what));
    return looking;
  }
}

/** @throws if no partition answers; those that do not are told */
export async function readOverview(open: OpenAccess, memory = new OverviewMemory()): Promise<Overview> {
  const { access, has, hasAccount, facts, silent } = await reachOf(open);
  const nowMs = access.nowMs();
  const { account } = access.partitions;
  const [halts, ofAccount, groups, kept, lastOk, lastBlock, deadLetters] = await Promise.all([
    readAllHalts(access),
    hasAccount ? readAccountState(account) : NOT_KNOWN,
    readGroups(access),
    memory.symbols.read(access),
    memory.lastWait(access, "ok"),
    memory.lastWait(access, "blocked"),
    countDeadLetters(access),
  ]);
  const known = kept.filter(({ symbol }) => has(symbol));
  const { exit, pauses, caps } = ofAccount;
  const [services, symbols, waiting] = await Promise.all([
    readServices(access, groups, memory.probes),
    readSymbols(access, known, {
      nowMs,
      caps,
      lastResultOf: (symbol) => memory.lastResultOf(access, symbol),
    }),
    readWaiting(
      access,
      known.map(({ symbol }) => symbol),
    ),
  ]);
  return {
    atMs: nowMs,
    redis: {
      url: access.url,
      version: [...new Set(facts.map(({ version }) => version))].join(", "),
      notDurable: [
        ...new Set(facts.flatMap((one) => [...notDurable(one), ...clocksApart(one, CLOCK_BOUND_MS)])),
      ],
    },
    killSwitch: { ...halts.killSwitch, text: killTextOf(halts) },
    killRecord: halts.record,
    disarm: halts.disarm,
    exit: hasAccount ? exitOf(exit, nowMs) : { state: exit, armed: false, text: "not known" },
    pauses,
    symbols,
    waiting: waiting.plans,
    moreWaiting: waiting.more,
    services,
    groups,
    lastOk,
    lastBlock,
    deadLetters,
    silent: hasAccount ? silent : [...silent, ACCOUNT_NOT_KNOWN],
  };
}

interface AccountState {
  exit: ExitState;
  pauses: ExchangePause[];
  caps: Caps;
}

async function readAccountState(account: Place): Promise<AccountState> {
  const [exit, pauses, caps] = await Promise.all([
    readExitState(account),
    readPauses(account),
    readCaps(account),
  ]);
  return { exit, pauses, caps };
}

const NOT_KNOWN: AccountState = {
  exit: { keys: 0, atMs: undefined, drilledAtMs: undefined, drilledBy: "" },
  pauses: [],
  caps: { executionsHour: "", executions5min: "", notionalDay: "", qtyDay: "" },
};
const ACCOUNT_NOT_KNOWN =
  "the exchange's pauses, the governor's limits, and whether operators could exit are not known";

function killTextOf(halts: AllHalts): string {
  const where = whereText(halts);
  const { record } = halts;
  if (halts.on.length === 0) return halts.killSwitch.on ? `it ${where}` : "";
  const text = killText(halts.killSwitch, record ?? { who: undefined, atMs: undefined, reason: "" });
  return where === "" ? text : `${text} (it ${where})`;
}

function exitOf(state: ExitState, nowMs: number): Overview["exit"] {
  const why = whyNotArmed(state, nowMs);
  const text = exitText(state, nowMs);
  return { state, armed: why === undefined, text: why === undefined ? text : `${text}; ${why}` };
}
