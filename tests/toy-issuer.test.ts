/** A third issuer by public seams alone: a row, a folder, and its name in APPLY_REQUIRED_PERMITS. */
import { join } from "node:path";
import { ISSUERS } from "@quantum/contract";
import { addRunKey, type ServiceProcess, startProgram } from "@quantum/harness";
import { demonstrationOf, groupsOf, PIPELINE } from "@quantum/topology";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { prometheusFiles } from "../ops/prometheus/files.ts";
import { isOfFlatPosition, LARGE_MARKET, runFeed } from "./feed-run.ts";
import { type Rig, startRig, SYMBOLS } from "@quantum/harness/rig";
import { TOY } from "./toy-issuer/row.ts";

const PLANS = 50;
const REQUIRED = [...ISSUERS, "toy"];

let rig: Rig;
let toy: ServiceProcess;
let told: Awaited<ReturnType<typeof runFeed>>;
beforeAll(async () => {
  rig = await startRig(LARGE_MARKET);
  const { keysFolder, venueUrl } = rig;
  await addRunKey(keysFolder, "toy");
  const place = { redisUrl: rig.redis.url, venueUrl, symbols: SYMBOLS, keysFolder, stateFolder: "" };
  const start = startProgram("toy", join(import.meta.dirname, "toy-issuer/main.ts"), {
    ...demonstrationOf(TOY, place),
    TOY_METRICS_PORT: "0",
  });
  // Long enough for a machine that is busy with other tests.
  const permits = { APPLY_REQUIRED_PERMITS: REQUIRED.join(), APPLY_PERMIT_WAIT_MS: "10000" };
  [toy] = await Promise.all([
    start,
    ...PIPELINE.map(({ name }) => rig.start(name, name === "apply-layer" ? permits : {})),
  ]);
  told = await runFeed(rig, PLANS, REQUIRED);
});
afterAll(async () => {
  await toy.stop();
  await rig.stop();
});

/** Of the plans that ended so. */
const plansThat = (outcome: string) => told.history.results.filter((result) => result.outcome === outcome);

describe(`${PLANS} plans that need ${REQUIRED.join()}`, () => {
  it("are executed with the permits of all three, or blocked by the toy's denial", () => {
    const executed = plansThat("EXECUTED");
    const blocked = plansThat("BLOCKED");
    expect(executed.length).toBeGreaterThan(PLANS / 2);
    expect(blocked.length).toBeGreaterThan(0);
    expect(executed.length + blocked.length).toBe(PLANS);
    for (const { planId } of executed) {
      const granting = told.history.permits.filter(
        ({ planId: of, issuer }) => of === planId && REQUIRED.includes(issuer),
      );
      expect(granting.map(({ issuer, verdict }) => `${issuer} ${verdict}`).toSorted()).toEqual(
        REQUIRED.map((issuer) => `${issuer} granted`).toSorted(),
      );
    }
    const otherwise = blocked.filter(
      (result) =>
        !isOfFlatPosition(result) && (!/[0-3]$/.test(result.planId) || result.reason !== "toy_permit_denied"),
    );
    expect(otherwise).toEqual([]);
  });

  it("leave the toy with nothing pending, its sums at zero, and ready", async () => {
    const { client, keys } = rig;
    for (const stream of [keys.streams.plan, keys.streams.result])
      expect(await client.xpending(stream, "toy")).toEqual([0, null, null, null]);
    expect((await fetch(`${toy.url}/readyz`)).status).toBe(200);
  });

  it("stand in the toy's metrics", async () => {
    const metrics = await (await fetch(`${toy.url}/metrics`)).text();
    const sum = (name: string) =>
      [...metrics.matchAll(new RegExp(`^${name}\\{.*\\} (\\d+)$`, "gm"))].reduce(
        (total, [, count]) => total + Number(count),
        0,
      );
    expect(sum("toy_permit_allow_total")).toBe(plansThat("EXECUTED").length);
    expect(sum("toy_permit_deny_total")).toBe(plansThat("BLOCKED").length);
    expect(sum("toy_results_settled_total")).toBe(PLANS);
  });
});

describe("a row more in the topology", () => {
  it("adds the groups that permitctl verifies", () => {
    const mine = groupsOf([...PIPELINE, TOY]).filter(({ service }) => service === "toy");
    expect(mine).toEqual([
      { service: "toy", stream: "plan", group: "toy" },
      { service: "toy", stream: "result", group: "toy" },
    ]);
  });

  it("adds Prometheus's target, the alert that misses it, and the share of plans that miss its permit", () => {
    const required = { ...TOY, issuer: { ...TOY.issuer, required: true } };
    const files = prometheusFiles([...PIPELINE, required]);
    expect(files.get("prometheus.hosts.yml")).toMatch(/^ {4}.*targets: \["127\.0\.0\.1:8097"\]/m);
    expect(files.get("rules/alerts.yml")).toContain('or absent(up{job="toy"})');
    expect(files.get("rules/recording.yml")).toContain("labels: { issuer: toy, job: toy }");
  });

  it("that plans do not need by default is missed only where it is scraped", () => {
    const files = prometheusFiles([...PIPELINE, TOY]);
    expect(files.get("prometheus.hosts.yml")).toMatch(/^#.*targets: \["127\.0\.0\.1:8097"\]/m);
    expect(files.get("rules/alerts.yml")).toMatch(/up\{job=~"[^"]*\|toy"\}/);
    expect(files.get("rules/alerts.yml")).not.toContain('absent(up{job="toy"})');
  });
});
