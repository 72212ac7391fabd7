/**
 * The exchange can accept a connection, answer its pings, and tell nothing of the account. Only REST shows it: a position
 * has changed, and not one event has come since it was last read.
 */
import type { AccountStream } from "@quantum/exchange";
import { Big } from "big.js";
import type { PairRefresh } from "./refresh.ts";

/** An event may be that much slower than REST. */
const EVENT_LATE_MS = 2_000;

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
    setTimeout(() => {
      const { upSinceMs = Infinity, lastEventAtMs = -Infinity } = stream;
      // A connection made in between cannot have told it.
      if (upSinceMs < before.readAtMs && lastEventAtMs < before.readAtMs) stream.distrust();
    }, EVENT_LATE_MS).unref();
  });
}
