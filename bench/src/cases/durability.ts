/** Case 6: wake, wait and throughput when every write is on disk before it is answered. */
import type { Case } from "../bench.ts";
import { latency } from "./latency.ts";
import { toVerdict } from "./throughput.ts";

const RATES_PER_SEC = [1_000];

export const durability: Case = async (bench) => {
  // The poll loop's own pauses are longer than any disk write.
  const common = { appendfsync: "always", withPollLoop: false } as const;
  for (const from of ["wake", "wait"] as const)
    await latency(bench, { ...common, name: `${from}, always`, from, ratesPerSec: RATES_PER_SEC });
  await toVerdict(bench, { ...common, name: "throughput, always" });
};
