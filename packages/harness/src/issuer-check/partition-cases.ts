/** What an issuer must do where there are several partitions. */
import { MARK_CASES } from "../kill-switch-marks.ts";
import { permitFlaws, signatureFlaws } from "./forms.ts";
import { type Case, flawsOfGrants, granted, ready } from "./steps.ts";

export const PARTITION_CASES: readonly Case[] = [
  {
    name: "every partition",
    breaks: "plans of the symbols of some partitions end with missing_ISSUER",
    read: "Partitions",
    ofPartitions: true,
    run: async (bench) => {
      const found: string[] = [];
      for (const part of bench.everywhere())
        found.push(
          ...(await flawsOfGrants(part, permitFlaws)),
          ...(await flawsOfGrants(part, signatureFlaws)),
        );
      return found;
    },
  },
  {
    name: "wire's kill switch",
    breaks: "it permits while the wire's kill switch is on, or nobody knows whether it is",
    read: "Partitions",
    ofPartitions: true,
    run: async (bench) => {
      await ready(bench);
      const key = bench.keys.killSwitchSeen;
      return bench.unwatched(async () => {
        const found: string[] = [];
        for (const { mark, halts, write } of MARK_CASES) {
          if (halts === undefined) continue;
          await bench.redis.del(key);
          await write(bench.redis, key);
          found.push(...(await granted(bench)).map((flaw) => `${flaw}, with the mark: ${mark}`));
        }
        return found;
      });
    },
  },
];
