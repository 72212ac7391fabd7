import { describe, expect, it } from "vitest";
import { type Failover, notReplacedInTime } from "./failover.ts";
import type { RedisFacts } from "./preflight.ts";

const GOOD: RedisFacts = {
  version: "7.0.15",
  runId: "a",
  role: "master",
  mode: "standalone",
  ledBy: "sentinel",
  aofEnabled: true,
  appendfsync: "always",
  maxmemoryPolicy: "noeviction",
  replicas: 1,
  minReplicasToWrite: "1",
  minReplicasMaxLag: "10",
  clockOffsetMs: 0,
};

const sentinel = (downAfterMs: string | undefined, failoverTimeoutMs: string | undefined): Failover => ({
  by: "sentinel",
  sentinels: [
    { address: "s1:26379", downAfterMs: "5000", failoverTimeoutMs: "60000" },
    { address: "s2:26379", downAfterMs, failoverTimeoutMs },
  ],
  replicas: 1,
});
const cluster = (nodeTimeoutMs: string | undefined, replicas = 1): Failover => ({
  by: "cluster",
  nodeTimeoutMs,
  replicas,
});

describe("the failover of a lost master", () => {
  it.each<[string | undefined, string | undefined, number]>([
    ["10000", "60000", 0],
    ["1", "1", 0],
    ["10001", "60000", 1],
    ["10000", "60001", 1],
    ["30000", "180000", 2],
    ["0", "0", 2],
    ["soon", "", 2],
    [undefined, undefined, 2],
  ])(
    "by Sentinels with down-after %s and failover-timeout %s: %i violations",
    (down, timeout, violations) => {
      const found = notReplacedInTime(sentinel(down, timeout), GOOD);
      expect(found).toHaveLength(violations);
      for (const violation of found) expect(violation).toContain("of Sentinel s2:26379 is ");
    },
  );

  it.each<[string | undefined, number]>([
    ["1000", 0],
    ["15000", 0],
    ["15001", 1],
    ["0", 1],
    ["", 1],
    [undefined, 0],
  ])("by a cluster with cluster-node-timeout %s: %i violations", (nodeTimeoutMs, violations) => {
    expect(notReplacedInTime(cluster(nodeTimeoutMs), GOOD)).toHaveLength(violations);
  });

  it("is nobody's business without Sentinels and cluster", () => {
    expect(notReplacedInTime(undefined, { ...GOOD, replicas: 0, minReplicasToWrite: "0" })).toEqual([]);
  });

  it("finds a master that would go on without replicas that are away, once", () => {
    const alone = { ...GOOD, replicas: 0, minReplicasToWrite: "0" };
    for (const failover of [sentinel("5000", "60000"), cluster("15000")]) {
      expect(notReplacedInTime(failover, alone)).toEqual([
        expect.stringMatching(/^min-replicas-to-write is 0/),
      ]);
      // notDurable() tells it of replicas that are there.
      expect(notReplacedInTime(failover, { ...alone, replicas: 1 })).toEqual([]);
      expect(notReplacedInTime(failover, { ...alone, minReplicasToWrite: "1" })).toEqual([]);
    }
    expect(notReplacedInTime(cluster("15000", 0), alone)).toEqual([]);
  });
});
