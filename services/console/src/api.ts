/**
 * What the console's page and its server say to each other: JSON over HTTP, and server-sent events. The page reads these
 * types through JSDoc. Times are in ms by Redis's clock unless they say otherwise; amounts are decimal text.
 */
import type { Check, LastWait as Wait, Overview, PlanRow, WaitHistory } from "@quantum/operator";

/**
 * Shown as the operator's package tells it:
 *
 * - `GET /api/plans` with {@link PlanQuery}, every field of which may be absent: {@link PlanList}
 * - `GET /api/plans/:id`: {@link PlanView}; 404 if nothing is known of it
 * - `GET /api/symbols/:symbol`: {@link SymbolView}, the symbol with its books. `GET /api/symbols` answers
 *   `{ symbols: SymbolState[] }`
 * - `GET /api/dead-letters?stream=&group=&reason=&cursor=`: {@link DeadLetterList}
 * - `GET /api/audit?cursor=`: {@link AuditList}
 */
export type {
  AttemptView,
  AuditList,
  DeadLetterList,
  PermitView,
  PlanList,
  PlanQuery,
  PlanRow,
  PlanView,
  SymbolView,
  WaitHistory,
  WaitingPlan,
  WaitMinute,
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
export interface Now extends Omit<Overview, "redis" | "killSwitch" | "lastOk" | "lastBlock"> {
  /** Undefined while Redis answers. Everything else is then what it last said. */
  away: { sinceMs: number; problem: string } | undefined;
  redis: Omit<Overview["redis"], "url">;
  killSwitch: Omit<Overview["killSwitch"], "value">;
  lastOk: LastWait | undefined;
  lastBlock: LastWait | undefined;
  waits: WaitHistory;
}

export type LastWait = Pick<Wait, "planId" | "symbol" | "atMs" | "waitMs" | "reason">;

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
