/** Two replicas of every service that decides: one stream of plans, shared between them. */
import { connectForBlocking } from "@quantum/redis";
import { afterEach, beforeEach, expect, it } from "vitest";
import { drain } from "../scripts/start/drain.ts";
import { collectEvidence, stopStrategy } from "../scripts/start/evidence.ts";
import { History } from "../scripts/start/history.ts";
import { checkInvariants } from "../scripts/start/invariants.ts";
import { StreamTail } from "../scripts/start/stream-tail.ts";
import { eventually, type Rig, startRig } from "./rig.ts";

const PLANS = 2_000;
const REPLICATED = ["apply-layer", "governor", "executor"];
const RUN_TIMEOUT_MS = 60_000;

let rig: Rig;
beforeEach(async () => {
  rig = await startRig();
});
afterEach(() => rig.stop());

it(
  "keeps every invariant over 2,000 plans with two replicas each of apply-layer, governor and executor",
  { timeout: 2 * RUN_TIMEOUT_MS },
  async () => {
    const { keys, client: redis, venueUrl } = rig;
    const replicas = await Promise.all(
      [...REPLICATED, ...REPLICATED, "position-brain"].map((name) => rig.start(name)),
    );
    const history = new History();
    const tail = new StreamTail(
      connectForBlocking({ url: rig.redis.url, name: "tail", onError: () => undefined }),
      keys,
      history,
    );
    try {
      await rig.start("harvest-feed", { FEED_RATE: "500", FEED_MAX: String(PLANS), FEED_SEED: "7" });
      await eventually(
        async () => (history.ended.size >= PLANS ? true : undefined),
        RUN_TIMEOUT_MS,
        `${PLANS} plans have ended`,
      );
      await stopStrategy(venueUrl);
      expect(await drain({ redis, keys, history, tail, deadlineMs: 10_000 })).toEqual([]);
      const sources = {
        redis,
        keys,
        exchangeUrl: venueUrl,
        history,
        requiredIssuers: ["governor", "p33"],
        halts: [],
      };
      // The ledger follows the last fill with the next refresh.
      const findings = await eventually(
        async () => {
          const found = checkInvariants(await collectEvidence(sources));
          return found.I7.violations.length === 0 ? found : undefined;
        },
        10_000,
        "the ledgers equal the fills",
      );
      const broken = Object.entries(findings).filter(
        ([, { violations, checked }]) => violations.length > 0 || checked === 0,
      );
      expect(broken).toEqual([]);
      expect(history.plans.length).toBe(PLANS);
      expect(findings.I2.checked).toBeGreaterThan(0.9 * PLANS);
      // Both replicas did a share of it.
      const verdicts = replicas
        .filter(({ name }) => name === "apply-layer")
        .map(({ logs }) => logs.filter(({ msg }) => msg.startsWith("[PERMIT_WAIT] OK")).length);
      expect(Math.min(...verdicts)).toBeGreaterThan(0);
    } finally {
      await tail.stop();
    }
  },
);
