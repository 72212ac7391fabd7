/** The pauses that the exchange asked for, as the keys hold them (`lua/exchange/pause.lua`). */
import { z } from "zod";
import type { Place } from "./place.ts";

const SCOPES = ["requests", "orders"] as const;

export interface ExchangePause {
  scope: (typeof SCOPES)[number];
  /** By Redis's clock. */
  leftMs: number;
  /** When the exchange asked for it; undefined if the key does not tell. */
  sinceMs: number | undefined;
  reason: string;
}

const body = z.object({ reason: z.string(), since_ms: z.number().optional() });

export async function readPauses({ redis, keys }: Place): Promise<ExchangePause[]> {
  const pauses = await Promise.all(
    SCOPES.map(async (scope) => {
      const key = keys.exchangePause(scope);
      const [text, leftMs] = await Promise.all([redis.get(key).catch(() => null), redis.pttl(key)]);
      const pause = body.safeParse(jsonOf(text ?? "")).data;
      return pause === undefined || leftMs <= 0
        ? []
        : [{ scope, leftMs, sinceMs: pause.since_ms, reason: pause.reason }];
    }),
  );
  return pauses.flat();
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
