/**
 * What the console's page and its server say to each other: JSON over HTTP, and server-sent events. The page reads these
 * types through JSDoc. Times are in ms by Redis's clock unless they say otherwise; amounts are decimal text.
 */
import type {
  Check,
  Conclusion,
  Disarm,
  ExchangePause,
  ExitState,
  Group,
  Hold,
  KillRecord,
  Service,
  SymbolState,
} from "@quantum/operator";

export type Role = "viewer" | "operator";

/** `GET /api/me`. */
export interface Me {
  /** Undefined: nobody has logged in. */
  user: string | undefined;
  /** Undefined: nothing is shown before a login. */
  role: Role | undefined;
  /** For the header `X-CSRF-Token` of every change; undefined without a session. */
  csrf: string | undefined;
  /** A user came by a reverse proxy's header, so there is no login and no logout here. */
  byProxy: boolean;
  /** Why there are no actions for this user, or "" if there are: an operator's text. */
  noActions: string;
  build: string;
}

/** `POST /api/login`; answered by {@link Me}, by 401, or by 429 with `Retry-After`. `POST /api/logout` has no body. */
export interface Login {
  user: string;
  password: string;
}

/** Body of every answer ≥ 400. */
export interface Refused {
  /** What happened, what it means, what to do. */
  error: string;
}

/** `GET /api/events`, server-sent. The first event of a stream is `now`. */
export interface Events {
  /** When anything in it has changed, at most twice a second; and every 5 s. */
  now: Now;
  /** Verdicts and ends of orders since the last such event, newest first, no more than 50; at most twice a second. */
  ended: { rows: PlanRow[]; skipped: number };
}

/** The first screen; also `GET /api/now`. */
export interface Now {
  atMs: number;
  /** Undefined while Redis answers. Everything else is then what it last said. */
  away: { sinceMs: number; problem: string } | undefined;
  redis: { version: string; notDurable: readonly string[] };
  killSwitch: { on: boolean; text: string };
  killRecord: KillRecord | null;
  disarm: Disarm | null;
  exit: { state: ExitState; armed: boolean; text: string };
  pauses: readonly ExchangePause[];
  /** Those whose closes are not fulfilled come first. */
  symbols: readonly SymbolNow[];
  waiting: readonly WaitingPlan[];
  /** More wait than `waiting` shows. */
  moreWaiting: number;
  services: readonly Service[];
  groups: readonly Group[];
  lastOk: LastWait | undefined;
  lastBlock: LastWait | undefined;
  deadLetters: number;
  waits: WaitHistory;
}

export interface SymbolNow extends SymbolState {
  /** Decimal text from the governor's settings as it tells them; "" where it does not. */
  caps: { executionsHour: string; executions5min: string; notionalDay: string; qtyDay: string };
}

export interface WaitingPlan {
  planId: string;
  symbol: string;
  openedAtMs: number;
  deadlineMs: number;
  /** Issuers that have not answered. */
  lacks: readonly string[];
}

export interface LastWait {
  planId: string;
  symbol: string;
  atMs: number;
  waitMs: number;
  reason: string;
}

/** Of the last hour, as far as the streams went back when the console started. */
export interface WaitHistory {
  /** Upper bounds of the classes of wait_ms; the last class has none. */
  boundsMs: readonly number[];
  /** Oldest first, without gaps. */
  minutes: readonly WaitMinute[];
}

export interface WaitMinute {
  startMs: number;
  /** Plans permitted and blocked, by class of their wait. */
  permitted: readonly number[];
  blocked: readonly number[];
  p50Ms: number | undefined;
  p99Ms: number | undefined;
  /** How often each reason blocked or skipped a plan. */
  reasons: Readonly<Record<string, number>>;
}

/** One line of a list of plans. */
export interface PlanRow {
  planId: string;
  symbol: string;
  atMs: number;
  /** `EXECUTED`, `BLOCKED`, …, or a state without an end: `WAITING`, `PERMITTED`, `SENT`, `UNKNOWN`. */
  outcome: string;
  reason: string;
  detail: string;
  executedQty: string;
  waitMs: number | undefined;
  /** `operator` or `drill`; "" for ordinary plans. */
  class: string;
}

/** Query of `GET /api/plans`; every field may be absent. Symbols and outcomes in any case. */
export interface PlanQuery {
  symbol: string;
  outcome: string;
  reason: string;
  /** That denied or capped it. */
  issuer: string;
  fromMs: number;
  toMs: number;
  /** From {@link PlanList}.next. */
  cursor: string;
}

/** Newest first. */
export interface PlanList {
  rows: readonly PlanRow[];
  /** To go on; undefined: the streams hold no more. */
  next: string | undefined;
  /** As far back as this was searched: a search stops after a second, found or not. */
  searchedToMs: number;
  /** As far back as the streams go. */
  oldestMs: number | undefined;
}

/** `GET /api/plans/:id`; 404 if nothing is known of it. */
export interface PlanView {
  planId: string;
  symbol: string;
  conclusion: Conclusion;
  /** Oldest first. */
  attempts: readonly AttemptView[];
  permits: readonly PermitView[];
  caps: readonly { issuer: string; cap: string; reason: string; meaning: string }[];
  record: Readonly<Record<string, string>>;
  order: Readonly<Record<string, string>>;
  /** What the exchange said of the order, in its own words; "" if nothing. */
  venueSaid: string;
  unreadable: readonly string[];
  /** Trace of this attempt in the tracing system; "" where none is made. */
  traceId: string;
}

export interface AttemptView {
  attempt: string;
  openedAtMs: number;
  deadlineMs: number | undefined;
  stages: readonly { atMs: number; sinceOpenMs: number; deltaMs: number; stage: string; text: string }[];
}

export interface PermitView {
  issuer: string;
  verdict: string;
  reason: string;
  /** From the opening; undefined if it has not answered. */
  waitMs: number | undefined;
  /** Id of the key that signed; "" if unsigned. */
  key: string;
  /** What the executor found of the signature. */
  signature: string;
}

/** `GET /api/dead-letters?stream=&group=&reason=&cursor=`. */
export interface DeadLetterList {
  rows: readonly {
    id: string;
    atMs: number;
    stream: string;
    group: string;
    reason: string;
    fields: Readonly<Record<string, string>>;
  }[];
  next: string | undefined;
  total: number;
}

/** `GET /api/symbols/:symbol`: the symbol with its books. `GET /api/symbols` answers `{ symbols: SymbolNow[] }`. */
export interface SymbolView {
  now: SymbolNow;
  hold: Hold | null;
  snapshot: Readonly<Record<string, string>>;
  ledger: Readonly<Record<string, string>>;
  /** Permits that promise a quantity. */
  promises: readonly { issuer: string; planId: string; qty: string; notional: string }[];
  recent: readonly PlanRow[];
}

/** `GET /api/audit?cursor=`: newest first. */
export interface AuditList {
  rows: readonly {
    id: string;
    atMs: number;
    action: string;
    target: string;
    who: string;
    reason: string;
    detail: string;
  }[];
  next: string | undefined;
}

/** `GET /api/verify`: what `permitctl verify` checks. */
export interface Checks {
  checks: readonly Check[];
}

/**
 * `POST /api/actions/<name>`. Each but `kill-on` needs a reason. With `preview: true` nothing is changed, `Done.text` says
 * what it would do, and `Done.shown` stands for what it was told of. An action that carries `shown` is refused with 409 if
 * that is no longer so: a hold is accepted for the amounts that the operator saw, and no others.
 */
export interface Actions {
  "kill-on": { reason?: string };
  "kill-off": { reason: string };
  "disarm-clear": { reason: string };
  "exchange-resume": { reason: string };
  "hold-accept": { symbol: string; reason: string };
  force: { planId: string; reason: string };
  requeue: { ids: readonly string[]; reason: string };
  drop: { ids: readonly string[]; reason: string };
}

export type ActionName = keyof Actions;

/** What every action's body may have besides. */
export interface ActionOptions {
  preview?: boolean;
  shown?: string;
}

/** 200; 409 with {@link Refused} if what was shown is no longer so. */
export interface Done {
  /** What was done, or with `preview` what would be done and what it means. */
  text: string;
  /** Of a preview; goes back with the action. */
  shown?: string;
}

/** `GET /api/commands`: the `permitctl` commands that the console never runs itself: it holds no operator's key. */
export interface Commands {
  flattenAll: string;
  flatten: string;
  close: string;
}
