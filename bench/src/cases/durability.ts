/** Case 6: the wake, the wait and the throughput again where every write is on disk before it is answered. */
import type { Case } from "../bench.ts";
import { latency } from "./latency.ts";
import { toVerdict } from "./throughput.ts";

const RATES_PER_SEC = [1_000];

export const durability: Case = async (bench) => {
  const appendfsync = "always";
  for (const from of ["wake", "wait"] as const)
    await latency(bench, { name: `${from}, always`, from, appendfsync, ratesPerSec: RATES_PER_SEC });
  await toVerdict(bench, { name: "throughput, always", appendfsync });
};
