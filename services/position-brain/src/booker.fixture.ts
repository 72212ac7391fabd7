/** A replica that books, on the rig: the real client of the stream, the simulated exchange's stream, a real Redis. */
import { createAccountStream, parseVenue } from "@quantum/exchange";
import { vi } from "vitest";
import { BookedFills } from "./booked-fills.ts";
import { Booker, type BookerEvents } from "./booker.ts";
import { Lease } from "./lease.ts";
import { createPairStore } from "./pair-store.ts";
import { keys, onePartition, type Rig } from "./rig.fixture.ts";

export const SYMBOL = "BTCUSDT";
/** Nothing here needs longer, except on a busy machine. */
export const PATIENCE = { timeout: 10_000, interval: 5 };
const TIMING = { pingEveryMs: 50, firstPauseMs: 5, longestPauseMs: 50 };

export type Replica = Awaited<ReturnType<typeof startReplica>>;

export async function startReplica(rig: Rig, instance = "brain-1", auditMs = 60_000) {
  const refresh = rig.refresher();
  const pairs = createPairStore({ partitions: onePartition(rig.redis), source: "exchange-sim" });
  const stream = createAccountStream({
    venue: parseVenue(rig.sim.url),
    exchange: rig.exchange,
    timing: TIMING,
  });
  const lease = new Lease({ redis: rig.redis, keys, instance });
  const booker = new Booker({ stream, lease, refresh, pairs, auditMs, quietMs: 7_000, pollMs: 1_000 });
  type Told = "booked" | "read" | "foreignFill" | "failed";
  const happened: { [Name in Told]: BookerEvents[Name][0][] } = {
    booked: [],
    read: [],
    foreignFill: [],
    failed: [],
  };
  booker.on("booked", (event) => happened.booked.push(event));
  booker.on("read", (event) => happened.read.push(event));
  booker.on("foreignFill", (event) => happened.foreignFill.push(event));
  booker.on("failed", (event) => happened.failed.push(event));
  await booker.start();
  return {
    booker,
    stream,
    lease,
    refresh,
    booked: new BookedFills({ booker, stream, pairs }),
    happened,
    /** Resolves once events keep the pairs. */
    kept: () =>
      vi.waitFor(() => {
        if (!booker.isKept) throw new Error("its events do not keep the pairs");
      }, PATIENCE),
    /** Why one symbol was read by REST, in order. */
    reads: (symbol = SYMBOL) =>
      happened.read.filter((read) => read.symbol === symbol).map((read) => read.reason),
    stop: async () => {
      refresh.stop();
      await booker.stop();
    },
  };
}
