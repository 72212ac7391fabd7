/**
 * The exchange can accept a connection, answer its pings, and tell nothing of the account. Only REST shows it: a position
 * has changed, and not one event has come since it was last read.
 */
import { type AccountStream, distrustIfDeaf } from "@quantum/exchange";
import { Big } from "big.js";
import type { PairRefresh } from "./refresh.ts";

export interface Listening {
  refresh: Pick<PairRefresh, "on">;
  stream: Pick<AccountStream, "upSinceMs" | "lastEventAtMs" | "distrust">;
}

export function distrustDeafStream({ refresh, stream }: Listening): void {
  const known = new Map<string, { positionAmt: string; readAtMs: number }>();
  refresh.on("stored", ({ symbol, pair: { snapshot }, readAtMs }) => {
    const before = known.get(symbol);
    const { positionAmt } = snapshot;
    known.set(symbol, { positionAmt, readAtMs });
    if (before === undefined || Big(before.positionAmt).eq(positionAmt)) return;
    distrustIfDeaf(stream, before.readAtMs);
  });
}
