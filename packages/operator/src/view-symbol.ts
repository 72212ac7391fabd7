/** One symbol with its books. */
import { parseEntries } from "@quantum/streams";
import { HOSTED } from "@quantum/topology";
import { z } from "zod";
import type { OpenAccess } from "./access.ts";
import type { Place } from "./place.ts";
import { ENTRY_ID } from "./entries.ts";
import type { Hold } from "./holds.ts";
import { readCaps } from "./limits.ts";
import type { Fields } from "./plan-history.ts";
import type { PlanRow } from "./plan-rows.ts";
import { readableAmount } from "./readable-amount.ts";
import { searchPlans } from "./search-plans.ts";
import { readSymbol, type SymbolState } from "./symbols.ts";
import { lastResultOf } from "./unfulfilled.ts";

export interface SymbolView {
  now: SymbolState;
  hold: Hold | null;
  /** As they stand in Redis. */
  snapshot: Fields;
  ledger: Fields;
  /** What permits have reserved, until their plans' results come. */
  promises: readonly Promised[];
  /** Newest first. */
  recent: readonly PlanRow[];
}

export interface Promised {
  issuer: string;
  /** "" if the plan's entry is no longer in the stream. */
  planId: string;
  /** Decimal text; "" if it reserves none. */
  qty: string;
  notional: string;
}

const RECENT = 20;
const ISSUERS = HOSTED.flatMap(({ issuer }) => (issuer === undefined ? [] : [issuer.name]));

/** Undefined: Redis knows nothing of it. */
export async function viewSymbol(access: OpenAccess, symbol: string): Promise<SymbolView | undefined> {
  const place = access.partitions.of(symbol);
  const { redis, keys } = place;
  const [caps, snapshot, ledger, promises, { rows: recent }] = await Promise.all([
    readCaps(access.partitions.account),
    redis.hgetall(keys.snapshot(symbol)),
    redis.hgetall(keys.ledger(symbol)),
    Promise.all(ISSUERS.map((issuer) => readPromises(place, issuer, symbol))),
    searchPlans(access, { symbol }, { limit: RECENT }),
  ]);
  const now = await readSymbol(access, symbol, {
    nowMs: access.nowMs(),
    caps,
    lastResultOf: (name) => lastResultOf(access, name),
  });
  const known =
    Object.keys(snapshot).length + Object.keys(ledger).length + recent.length + now.waiting + now.unsettled;
  if (known === 0) return undefined;
  return { now, hold: now.hold, snapshot, ledger, promises: promises.flat(), recent };
}

const amounts = z.record(z.string(), z.string());
const PLAN_ID = /^[0-9a-f]{16}$/;

async function readPromises({ redis, keys }: Place, issuer: string, symbol: string): Promise<Promised[]> {
  const open = await redis.hgetall(keys.reservations(issuer, symbol).open);
  return Promise.all(
    Object.entries(open).map(async ([attempt, text]) => {
      const { qty, notional } = amountsOf(text);
      const [entry] = ENTRY_ID.test(attempt)
        ? parseEntries(await redis.xrange(keys.streams.plan, attempt, attempt))
        : [];
      // Of a plan without a record, it stands under the plan's id.
      const planId = entry?.fields["plan_id"] ?? (PLAN_ID.test(attempt) ? attempt : "");
      return {
        issuer,
        planId,
        qty: readableAmount(qty ?? ""),
        notional: readableAmount(notional ?? ""),
      };
    }),
  );
}

function amountsOf(text: string): Record<string, string> {
  try {
    return amounts.parse(JSON.parse(text));
  } catch {
    return {};
  }
}
