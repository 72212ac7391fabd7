/**
 * An operator's plan, opened whatever Redis does, and watched until it has ended. It needs Redis, one executor and the
 * venue, and nothing else of the pipeline.
 */
import { setTimeout as delay } from "node:timers/promises";
import { outcomeOfOrder } from "@quantum/contract";
import { dispositionOf } from "@quantum/redis";
import type { OpenAccess } from "../access.ts";
import type { Mandate } from "../changes.ts";
import {
  type ExitOrder,
  type ExitSigner,
  openSigned,
  placeOfExit,
  signDrill,
  type SignedExit,
  signExit,
} from "../open-exit.ts";

/** Instead of an order: a plan that only looks. */
export const DRILL = "drill";

/** What can be seen of a plan. Each is told once when it begins. */
export type Sight =
  /** No executor has taken it for {@link UNCLAIMED_MS}. */
  | { kind: "unclaimed"; untilMs: number }
  | { kind: "sent" }
  /** The venue's answer was ambiguous. */
  | { kind: "in doubt" }
  /** It has been in doubt for so long that the order can no longer be executed: it was, or never will be. */
  | { kind: "long in doubt" }
  /** Redis does not answer now. */
  | { kind: "silent"; why: string }
  | { kind: "ended"; result: ExitResult }
  /** An executor answered, and could not read the account; it is asked again after `waitMs`. */
  | { kind: "unread"; why: string; waitMs: number }
  /** Nobody took it in time: nothing was sent, and nothing will be. */
  | { kind: "nobody" }
  /** Redis no longer knows the plan. */
  | { kind: "lost" }
  /** The operator stopped waiting. The plan may still be taken, or is in doubt. */
  | { kind: "abandoned" };

export interface ExitResult {
  outcome: string;
  reason: string;
  /** The venue's or the executor's words. */
  detail: string;
  /** In coins; "" if nothing was executed. */
  executedQty: string;
  /** The position that the venue reported afterwards, signed; "" if it is not known. */
  left: string;
  /** JSON: what a drill found; "" of other plans. */
  report: string;
}

const UNCLAIMED_MS = 10_000;
/** How often a plan's record is looked at. The stream of results is not followed, because after a restart of Redis it may lack the entry. */
const LOOK_MS = 100;
/** How often something is tried again that Redis did not answer. */
export const RETRY_MS = 500;
/** After the end of the signature: Redis's clock as this process reckons it may be off by a little. */
const CLOCK_MARGIN_MS = 1_000;
/** The executor asks for an order in doubt at once; mostly it knows within a second. */
const DOUBT_MS = 10_000;
/**
 * Opens a plan, however often Redis has to be asked.
 * @returns undefined if `stop` was aborted before Redis answered
 */
export async function* openedExit(
  access: OpenAccess,
  signer: ExitSigner,
  order: ExitOrder | typeof DRILL,
  by: Mandate,
  stop: AbortSignal,
): AsyncGenerator<Extract<Sight, { kind: "silent" }>, SignedExit | undefined> {
  let exit: SignedExit | undefined;
  for (let told = ""; ;) {
    try {
      exit ??= await (order === DRILL ? signDrill(access, signer) : signExit(access, signer, order));
      // The same plan again, however often Redis loses the answer: it is opened once.
      if ((await openSigned(access, signer, exit, by)).kind === "opened") return exit;
      exit = undefined;
    } catch (error) {
      const why = silenceOf(error);
      if (why !== told) yield { kind: "silent", why: (told = why) };
      // It may be open: whoever stops now must know.
      if (stop.aborted) return undefined;
      await delay(RETRY_MS);
    }
  }
}

/**
 * Ends with `ended`, `nobody` or `lost`, and with `abandoned` after `stop` if nothing is under way that ends soon.
 * Whoever needs it no longer may leave it before.
 */
export async function* watchExit(
  access: OpenAccess,
  plan: SignedExit,
  stop: AbortSignal,
): AsyncGenerator<Sight> {
  const since = new Map<Seen["kind"], number>();
  let told: Sight["kind"] | undefined;
  for (;;) {
    const seen = await look(access, plan).catch((error: unknown): Seen => {
      return { kind: "silent", why: silenceOf(error) };
    });
    const nowAt = performance.now();
    if (!since.has(seen.kind)) since.set(seen.kind, nowAt);
    const sight = sightOf(seen, nowAt - (since.get(seen.kind) ?? nowAt), access.nowMs());
    if (sight !== undefined && sight.kind !== told) yield sight;
    told = sight?.kind;
    if (told === "ended" || told === "nobody" || told === "lost") return;
    if (stop.aborted && (told === "unclaimed" || told === "silent" || told === "long in doubt")) {
      yield { kind: "abandoned" };
      return;
    }
    await delay(told === "silent" ? RETRY_MS : LOOK_MS);
  }
}

/** A plan as Redis has it. */
export type Seen =
  | { kind: "unclaimed"; untilMs: number }
  | { kind: "sent"; windowEndMs: number }
  | { kind: "in doubt"; windowEndMs: number }
  | { kind: "silent"; why: string }
  | { kind: "ended"; result: ExitResult }
  | { kind: "lost" };

/** Pure. @returns undefined if there is nothing to tell */
export function sightOf(seen: Seen, forMs: number, nowMs: number): Sight | undefined {
  switch (seen.kind) {
    case "unclaimed":
      // The script refuses a claim after its end, so nobody can take it any more.
      if (nowMs > seen.untilMs + CLOCK_MARGIN_MS) return { kind: "nobody" };
      return forMs > UNCLAIMED_MS ? seen : undefined;
    case "sent":
    case "in doubt":
      // The executor may have died after the claim.
      return forMs > DOUBT_MS && nowMs > seen.windowEndMs + CLOCK_MARGIN_MS
        ? { kind: "long in doubt" }
        : { kind: seen.kind };
    default:
      return seen;
  }
}

async function look(access: OpenAccess, exit: SignedExit): Promise<Seen> {
  const { planId, untilMs } = exit;
  const { redis, keys } = placeOfExit(access, exit);
  const [record, order] = await Promise.all([
    redis.hgetall(keys.plan(planId)),
    redis.hgetall(keys.order(planId)),
  ]);
  const windowEndMs = Number(order["window_end_ms"] ?? 0);
  const outcome = order["state"] === undefined ? record["state"] : outcomeOfOrder(order["state"]);
  switch (outcome) {
    case undefined:
      return { kind: "lost" };
    case "PERMITTED":
      return { kind: "unclaimed", untilMs };
    case "SENT":
      return { kind: "sent", windowEndMs };
    case "UNKNOWN":
      return { kind: "in doubt", windowEndMs };
    default: {
      const word = (name: string) => (order[name] || record[name]) ?? "";
      const { exit_left: left = "", exit_report: report = "" } = record;
      const result = {
        outcome,
        reason: word("reason"),
        detail: word("detail"),
        executedQty: word("executed_qty"),
        left,
        report,
      };
      return { kind: "ended", result };
    }
  }
}

/** @throws the error, unless Redis may answer the next time */
export function silenceOf(error: unknown): string {
  const disposition = dispositionOf(error);
  if (disposition.kind !== "passes") throw error;
  return disposition.meaning;
}
