/**
 * Orders that ended by evidence of absence are queried for a day, in case one appears. Each is recorded in its order
 * key, in its symbol's index and in a copy of its claim, so that losing one of them loses no correction.
 */
import { type Keys, TTL_SEC } from "@quantum/contract";
import { dropMistyped } from "@quantum/permits";
import { bindScript, type RedisClient } from "@quantum/redis";
import { fieldsOf } from "@quantum/streams";
import { z } from "zod";

const keepScript = bindScript("orders/keep_absent");

export interface LateOrdersOptions {
  redis: RedisClient;
  keys: Keys;
  /** Called for what is lost for good or cannot be read. */
  onError: (doing: string, error: Error) => void;
}

/** @param symbols the symbols whose index is checked, besides those named in the copies */
export async function keepLateOrders(
  options: LateOrdersOptions,
  symbols: ReadonlySet<string>,
): Promise<void> {
  const { redis, keys, onError } = options;
  const heal = async (wanted: readonly string[], type: "hash" | "zset") => {
    for (const key of await dropMistyped(
      redis,
      wanted.map((name) => ({ key: name, type })),
    ))
      onError(`read ${key}`, new Error("it had the wrong type and is rebuilt"));
  };
  await heal([keys.absentClaims], "hash");
  const symbolOf = await readCopies(options);
  const indexed = new Set([...symbols, ...symbolOf.values()]);
  await heal(
    [...indexed].map((symbol) => keys.absent(symbol)),
    "zset",
  );
  for (const symbol of indexed)
    for (const planId of await redis.zrange(keys.absent(symbol), 0, -1)) symbolOf.set(planId, symbol);
  // A record of the wrong type would block the order's correction; a missing one does not.
  await heal(
    [...symbolOf.keys()].map((planId) => keys.plan(planId)),
    "hash",
  );
  const kept = [...symbolOf].map(([planId, symbol]) =>
    keep(options, planId, symbol).catch((error: unknown) =>
      onError(`look after the late order of plan ${planId}`, error as Error),
    ),
  );
  await Promise.all(kept);
}

async function readCopies({ redis, keys, onError }: LateOrdersOptions): Promise<Map<string, string>> {
  const symbolOf = new Map<string, string>();
  for (const [planId, text] of Object.entries(await redis.hgetall(keys.absentClaims))) {
    try {
      symbolOf.set(planId, copy.parse(JSON.parse(text)));
    } catch (error) {
      await redis.hdel(keys.absentClaims, planId);
      onError(`read the copy of the claim of plan ${planId}`, error as Error);
    }
  }
  return symbolOf;
}

async function keep({ redis, keys }: LateOrdersOptions, planId: string, symbol: string): Promise<void> {
  const [status] = await keepScript(redis, {
    keys: {
      order: keys.order(planId),
      absent: keys.absent(symbol),
      absent_claims: keys.absentClaims,
      symbols: keys.orderSymbols,
    },
    args: { plan_id: planId, symbol, settled_sec: String(TTL_SEC.order) },
  });
  if (status === "LOST") throw new Error("its claim and the copy are lost: it is no longer queried");
}

/** A claim's fields as flat JSON text, reduced to the symbol. */
const copy = z
  .array(z.string())
  .transform((flat) => fieldsOf(flat)["symbol"])
  .pipe(z.string().min(1));
