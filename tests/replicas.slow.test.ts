/** Two replicas of every service that may be replicated: one stream of plans, shared between them. */
import { ISSUERS } from "@quantum/contract";
import { PIPELINE } from "@quantum/topology";
import { describe, expect, it, onTestFinished } from "vitest";
import { runFeed } from "./feed-run.ts";
import { type RigRedis, startRig } from "@quantum/harness/rig";

const PLANS = 2_000;
/** What ends it is that no plan ends any more. */
const TIMEOUT_MS = 600_000;
const LAYOUTS: { partitions: number; redis: RigRedis }[] = [
  { partitions: 1, redis: "lone" },
  { partitions: 6, redis: "cluster" },
];

describe.each(LAYOUTS)(
  "one stream of plans, shared between replicas, $partitions partitions, $redis,",
  (layout) => {
    it(
      `keeps every invariant over ${PLANS} plans, two replicas of each service that decides`,
      { timeout: TIMEOUT_MS },
      async () => {
        const rig = await startRig(layout);
        onTestFinished(() => rig.stop());
        const started = PIPELINE.flatMap(({ name, replicated }) => (replicated ? [name, name] : [name]));
        const replicas = await Promise.all(started.map((name) => rig.start(name)));
        const { findings } = await runFeed(rig, PLANS, ISSUERS);
        expect(findings.I2.checked).toBeGreaterThan(0.9 * PLANS);
        // Both replicas did a share of it.
        const verdicts = replicas
          .filter(({ name }) => name === "apply-layer")
          .map(({ logs }) => logs.filter(({ msg }) => msg.startsWith("[PERMIT_WAIT] OK")).length);
        expect(Math.min(...verdicts)).toBeGreaterThan(0);
      },
    );
  },
);
