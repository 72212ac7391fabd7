/** Two replicas of every service that decides: one stream of plans, shared between them. */
import { ISSUERS } from "@quantum/contract";
import { connectForBlocking } from "@quantum/redis";
import { patienceMs } from "@quantum/testkit";
import { PIPELINE } from "@quantum/topology";
import { afterEach, beforeEach, expect, it } from "vitest";
import { drain, STUCK_MS, waitForEnd } from "../scripts/start/drain.ts";
import { collectEvidence, stopStrategy } from "../scripts/start/evidence.ts";
import { History } from "../scripts/start/history.ts";
import { checkInvariants } from "../scripts/start/invariants.ts";
import { StreamTail } from "../scripts/start/stream-tail.ts";
import { eventually, type Rig, startRig } from "./rig.ts";

/** What ends it is that no plan ends any more. */
const TIMEOUT_MS = 600_000;

export function keepsEveryInvariant(plans: number): void {
  let rig: Rig;
  beforeEach(async () => {
    rig = await startRig();
  });
  afterEach(() => rig.stop());

  it(
    `keeps every invariant over ${plans} plans, two replicas of each service that decides`,
    { timeout: TIMEOUT_MS },
    async () => {
      const { keys, client: redis, venueUrl } = rig;
      const replicas = await Promise.all(
        PIPELINE.flatMap(({ name, replicated }) => (replicated ? [name, name] : [name])).map((name) =>
          rig.start(name),
        ),
      );
      const history = new History();
      const tail = new StreamTail(
        connectForBlocking({ url: rig.redis.url, name: "tail", onError: () => undefined }),
        keys,
        history,
      );
      try {
        await rig.start("harvest-feed", { FEED_RATE: "500", FEED_MAX: String(plans), FEED_SEED: "7" });
        const end = await waitForEnd({
          history,
          isDone: () => history.ended.size >= plans,
          onLook: () => undefined,
          stuckMs: patienceMs(STUCK_MS),
          signal: new AbortController().signal,
        });
        expect([end, history.ended.size]).toEqual(["done", plans]);
        await stopStrategy(venueUrl);
        expect(await drain({ redis, keys, history, tail, deadlineMs: patienceMs(10_000) })).toEqual([]);
        const sources = {
          redis,
          keys,
          exchangeUrl: venueUrl,
          history,
          requiredIssuers: ISSUERS,
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
        expect(history.plans.length).toBe(plans);
        expect(findings.I2.checked).toBeGreaterThan(0.9 * plans);
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
}
