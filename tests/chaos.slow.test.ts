import { ISSUERS } from "@quantum/topology";
import { expect, it } from "vitest";
import { runCampaign } from "../campaign/src/run.ts";

/** Faults of the last seconds may need their time to be recovered from. */
const TIMEOUT_MS = 90_000;
const MINUTES = 0.09;

it.each([
  [
    "processes and connections",
    1,
    ["kill", "kill-at-frame", "reset", "script-flush", "group-destroy", "burst"],
    [...ISSUERS, "p26"],
    "lone",
  ],
  [
    "a Redis that forgets, and wrong answers of the exchange",
    2,
    ["redis-power-loss", "order-answers"],
    ISSUERS,
    "lone",
  ],
  ["a master that a replica replaces", 3, ["failover-loss", "master-isolated"], ISSUERS, "sentinel"],
  ["a cluster", 4, ["cluster-failover-loss", "cluster-master-kill", "reshard"], ISSUERS, "cluster"],
] as const)(
  "a short campaign against %s finds nothing lost and nothing doubled",
  async (_, seed, faults, issuers, redis) => {
    const said: string[] = [];
    const options = {
      seed,
      minutes: MINUTES,
      plans: undefined,
      faults,
      issuers,
      rate: 100,
      redis,
    };
    const { sound, lines, summary } = await runCampaign(
      { ...options, summary: undefined, record: false },
      (line) => said.push(line),
    );
    if (!sound) throw new Error([...said, ...lines].join("\n"));
    expect(summary).toMatchObject({ doubled: 0, lost: 0, unauthorised: 0, in_doubt: 0 });
  },
  TIMEOUT_MS,
);
