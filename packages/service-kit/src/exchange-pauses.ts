/**
 * The exchange's pauses are stored in Redis, with an end and a reason. Every service that calls the exchange sees them,
 * also after a restart, and an operator can end them. Each process keeps a copy and refreshes it every second, so no
 * order waits for a read from Redis. A pause that this process caused applies at once. A pause that Redis has lost is
 * written again.
 */
import type { Keys } from "@quantum/contract";
import { bindScript, type RedisClient } from "@quantum/redis";
import type { Logger } from "pino";
import { Counter, Gauge, type Registry } from "prom-client";
import { z } from "zod";

const runPause = bindScript("exchange/pause");

const READ_EVERY_MS = 1_000;
/** A pause with less time left may already have expired in Redis but not here. */
const ENDING_MS = 2 * READ_EVERY_MS;

/** If a key outlives its pause by less than this, Redis's clock was not stepped. */
const CLOCK_STEP_MS = 1_000;

const SCOPES = ["requests", "orders"] as const;
type Scope = (typeof SCOPES)[number];
interface Pause {
  readonly leftMs: number;
  readonly reason: string;
}

/** The `Pauses` of packages/exchange. */
interface LocalPauses {
  onAsked: ((scope: Scope, pause: Pause) => void) | undefined;
  set: (scope: Scope, pause: Pause | undefined) => void;
  get: (scope: Scope) => Pause | undefined;
}

/** What the key holds: `lua/exchange/pause.lua` and `lua/operator/resume_exchange.lua`. */
const stored = z.union([
  z.object({ reason: z.string(), pause_ms: z.number().default(Infinity) }),
  z.object({ resumed_ms: z.number() }).transform(() => undefined),
]);

interface Options {
  pauses: LocalPauses;
  redis: RedisClient;
  keys: Keys;
  log: Pick<Logger, "warn" | "error">;
}

/**
 * Resolves once the pauses in force are known.
 * @returns a function that stops the refresh
 */
export async function shareExchangePauses({ pauses, redis, keys, log }: Options): Promise<() => void> {
  /** Pauses not yet written to Redis. */
  const untold = new Map<Scope, Pause>();

  const tell = async (scope: Scope) => {
    const pause = untold.get(scope);
    const leftMs = pauses.get(scope)?.leftMs;
    if (pause !== undefined && leftMs !== undefined)
      await runPause(redis, {
        keys: { pause: keys.exchangePause(scope) },
        args: { pause_ms: String(leftMs), reason: pause.reason },
      });
    if (untold.get(scope) === pause) untold.delete(scope);
  };
  const read = async () => {
    for (const scope of SCOPES) if (untold.has(scope)) await tell(scope);
    // MGET treats a key of the wrong type as absent. It is then replaced, like a lost one.
    const texts = await redis.mget(SCOPES.map(keys.exchangePause));
    for (const [index, scope] of SCOPES.entries()) {
      const key = keys.exchangePause(scope);
      const text = texts[index] ?? null;
      const leftMs = text === null ? 0 : await redis.pttl(key);
      // The exchange has asked for a new pause since the read.
      if (untold.has(scope)) continue;
      const here = pauses.get(scope);
      const pause = text === null ? null : parsed(text);
      if (pause === undefined) {
        if (here !== undefined) log.warn({ scope }, "an operator has ended the exchange's pause");
        pauses.set(scope, undefined);
      } else if (pause !== null && leftMs > 0) {
        const { reason, pause_ms: longestMs } = pause;
        // Redis's clock was ahead when the key was written. Count the pause's full length from now.
        if (leftMs > longestMs + CLOCK_STEP_MS) await redis.pexpire(key, longestMs);
        const told = { leftMs: Math.min(leftMs, longestMs), reason };
        if (here === undefined)
          log.warn({ scope, ...told }, "a pause that the exchange asked for is in force");
        // The local copy uses a monotonic clock, so it is not shortened.
        if (told.leftMs > (here?.leftMs ?? 0)) pauses.set(scope, told);
      } else if (here !== undefined && here.leftMs > ENDING_MS) {
        untold.set(scope, here);
        await tell(scope);
      }
    }
  };

  pauses.onAsked = (scope, pause) => {
    log.warn({ scope, ...pause }, "the exchange asks for a pause");
    untold.set(scope, pause);
    // If this fails, the next refresh writes it.
    tell(scope).catch((error: unknown) => log.error({ err: error }, "failed to write a pause to Redis"));
  };
  await read();
  let reading = false;
  const timer = setInterval(() => {
    if (reading) return;
    reading = true;
    // Readiness reports an outage of Redis; no need to log it here.
    void read()
      .catch(() => undefined)
      .finally(() => (reading = false));
  }, READ_EVERY_MS).unref();
  return () => clearInterval(timer);
}

function parsed(text: string): { reason: string; pause_ms: number } | undefined | null {
  try {
    return stored.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

interface Observed {
  /** The endpoints whose unreadable rows are counted, starting at 0. */
  endpoints: readonly string[];
  pauses: LocalPauses;
  registry: Registry;
  log: Pick<Logger, "warn">;
}

/** @returns a function to call for each row of the exchange's answers that cannot be read */
export function observeExchange({ endpoints, pauses, registry, log }: Observed) {
  const registers = [registry];
  new Gauge({
    name: "quantum_exchange_pause_seconds",
    help: "How much longer the exchange accepts no requests, or no orders; 0 without a pause",
    labelNames: ["scope"],
    registers,
    collect() {
      for (const scope of SCOPES) this.set({ scope }, (pauses.get(scope)?.leftMs ?? 0) / 1_000);
    },
  });
  const unreadable = new Counter({
    name: "quantum_exchange_unreadable_rows_total",
    help: "Rows of the exchange's answers that could not be read; the state of their symbols is unknown",
    labelNames: ["endpoint"],
    registers,
  });
  for (const endpoint of endpoints) unreadable.inc({ endpoint }, 0);
  const told = new Set<string>();
  return (row: { endpoint: string; symbol: string | undefined; problem: string }) => {
    unreadable.inc({ endpoint: row.endpoint });
    // The same row arrives every few seconds. Log it once.
    const which = `${row.endpoint} ${row.symbol} ${row.problem}`;
    if (told.has(which)) return;
    if (told.size < TOLD_MAX) told.add(which);
    log.warn(
      row,
      `a row of ${row.endpoint} cannot be read: the state of ${row.symbol ?? "its symbol"} is unknown`,
    );
  };
}

const TOLD_MAX = 1_000;
