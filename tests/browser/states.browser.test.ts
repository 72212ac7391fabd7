/** Every screen while a running pipeline is healthy, blocked, halted, in doubt, and without its Redis. */
import { setKillSwitch } from "@quantum/operator";
import { patienceMs } from "@quantum/harness";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Pipeline, propose, reached, startPipeline } from "../../cli/permitctl/src/outcomes.fixture.ts";
import type { Looks } from "./browser.ts";
import { isShown, keepFailures, openConsole, type TestConsole, type User, type Visit } from "./console.ts";
import { planHash, type Screen, SCREENS, symbolHash } from "./names.ts";

/** Long enough to look at a plan that waits. */
const WAIT_MS = 8_000;
/** "Live: a verdict shows within a second." */
const LIVE_MS = 1_000;
const ENDLESS = 1_000;
const HALT_REASON = "prices look wrong on the venue's side";

const LOOKS: readonly [user: User, looks: Looks][] = [
  ["viewer", { size: "wide", colours: "light" }],
  ["operator", { size: "wide", colours: "dark" }],
  ["operator", { size: "phone", colours: "light" }],
  ["viewer", { size: "phone", colours: "dark" }],
];

let pipeline: Pipeline;
let console: TestConsole;
keepFailures(() => console);
let visits: Visit[];
/** The first of {@link LOOKS}, and the one with an operator's rights. */
let viewer: Visit;
let operator: Visit;
let executed = "";

beforeAll(async () => {
  pipeline = await startPipeline(WAIT_MS);
  console = await openConsole(pipeline.rig);
  visits = await Promise.all(LOOKS.map(([user, looks]) => console.visitAs(user, looks)));
  [viewer, operator] = visits as [Visit, Visit];
  executed = await propose(pipeline.rig, "BTCUSDT", "PARTIAL_75");
  await reached(pipeline.rig, executed, "EXECUTED");
});
afterAll(async () => {
  await console?.close();
  await pipeline?.stop();
});

/** Readable, complete and quiet: for every user, size and colour. */
async function expectScreensSound(state: string): Promise<void> {
  for (const visit of visits) {
    for (const screen of Object.keys(SCREENS) as Screen[]) {
      await visit.openScreen(screen);
      await visit.expectSound(`${screen}, ${state}`);
    }
    await visit.open(planHash(executed), `Plan ${executed}`);
    await visit.expectSound(`a plan, ${state}`);
    await visit.open(symbolHash("BTCUSDT"), "BTCUSDT");
    await visit.expectSound(`a symbol, ${state}`);
  }
}

async function shootNow(state: string): Promise<void> {
  await viewer.openScreen("Now");
  await viewer.shoot(`now-${state}`);
}

it("is healthy: what moves is shown, nothing is wrong, and all screens are sound", async () => {
  await expectScreensSound("healthy");
  await viewer.openScreen("Now");
  for (const region of [
    "glance",
    "verdicts",
    "waiting",
    "ended",
    "waits",
    "reasons",
    "limits",
    "services",
  ] as const)
    await viewer.region(region).waitFor();
  for (const name of ["apply-layer", "governor", "position-brain", "executor"])
    await viewer.region("services").getByText(name, { exact: true }).first().waitFor();
  await viewer.region("verdicts").getByRole("link", { name: executed }).waitFor();
  expect(await viewer.region("halted").count()).toBe(0);
  expect(await viewer.region("away").count()).toBe(0);
  for (const [visit, name] of [
    [operator, "dark"],
    [visits[2], "phone"],
  ] as const) {
    await visit?.openScreen("Now");
    await visit?.shoot(`now-${name}`);
  }
});

it("is live: an order's end is shown within a second of it", async () => {
  await viewer.openScreen("Now");
  const planId = await propose(pipeline.rig, "ETHUSDT", "PARTIAL_25");
  await reached(pipeline.rig, planId, "EXECUTED");
  const endedAt = performance.now();
  const end = viewer.region("ended").getByRole("listitem").filter({ hasText: planId });
  await end.filter({ hasText: "EXECUTED" }).waitFor();
  expect(performance.now() - endedAt).toBeLessThan(patienceMs(LIVE_MS));
});

it("is blocked: a plan waits with a countdown and what it lacks, and then the reason is shown", async () => {
  const positionBrain = pipeline.service("position-brain");
  positionBrain.pause();
  const planId = await propose(pipeline.rig, "SOLUSDT", "PARTIAL_50");
  await viewer.openScreen("Now");
  const row = viewer.region("waiting").getByRole("listitem").filter({ hasText: planId });
  await row.getByText("p33").waitFor();
  const shown = await row.textContent();
  await expect.poll(() => row.textContent(), { interval: 50 }).not.toBe(shown);
  await shootNow("waiting");
  await reached(pipeline.rig, planId, "BLOCKED");
  const last = viewer.region("verdicts");
  await last.getByRole("link", { name: planId }).waitFor();
  await last.getByText("missing_p33").waitFor();
  await expectScreensSound("blocked");
  positionBrain.resume();
});

it("is halted: unmistakably, by whom, since when and why", async () => {
  const access = { redis: pipeline.rig.client, keys: pipeline.rig.keys };
  await setKillSwitch(access, true, { who: "olga@desk", reason: HALT_REASON });
  await viewer.openScreen("Now");
  const halted = viewer.region("halted");
  await halted.getByText("olga@desk").waitFor();
  await halted.getByText(HALT_REASON).waitFor();
  const planId = await propose(pipeline.rig, "BNBUSDT", "PARTIAL_50");
  await reached(pipeline.rig, planId, "BLOCKED");
  const end = viewer.region("ended").getByRole("listitem").filter({ hasText: planId });
  await end.getByText("kill_switch_active").waitFor();
  await expectScreensSound("halted");
  // It is seen from every screen.
  await viewer.openScreen("Audit");
  expect(await isShown(viewer.region("halted"))).toBe(true);
  await shootNow("halted");
  await setKillSwitch(access, false, { who: "olga@desk", reason: "they are right" });
  await viewer.region("halted").waitFor({ state: "detached" });
});

it("has an order in doubt: which, and for how long", async () => {
  const { rig, sim } = pipeline;
  const untold = { kind: "drop", event: "ORDER_TRADE_UPDATE", symbol: "1000SHIBUSDT", count: ENDLESS };
  await sim("/sim/stream-faults", untold);
  await sim("/sim/faults", { kind: "-1007", symbol: "1000SHIBUSDT" });
  await sim("/sim/faults", { kind: "503_before", path: "GET /fapi/v1/order", count: ENDLESS });
  const planId = await propose(rig, "1000SHIBUSDT", "FULL_CLOSE_PROPOSED");
  await reached(rig, planId, "UNKNOWN");
  await viewer.openScreen("Now");
  const doubts = viewer.region("doubts");
  await doubts.getByText("1000SHIBUSDT").first().waitFor();
  expect(await isShown(doubts.getByRole("link", { name: planId }))).toBe(true);
  await expectScreensSound("in doubt");
  await shootNow("in-doubt");
});

describe("when Redis does not answer", () => {
  it("says since when, keeps what it knew, marked as stale, and comes back by itself", async () => {
    for (const visit of visits) visit.guard.expects(/answer 50[34]|status of 50[34]/);
    await viewer.openScreen("Now");
    await viewer.region("services").getByText("executor", { exact: true }).first().waitFor();
    pipeline.rig.redis.pause();
    expect(await isShown(viewer.region("away"))).toBe(true);
    await viewer.region("services").getByText("executor", { exact: true }).first().waitFor();
    await expectScreensSound("Redis away");
    await shootNow("redis-away");
    pipeline.rig.redis.resume();
    await viewer.openScreen("Now");
    await viewer.region("away").waitFor({ state: "detached" });
  });
});

it("has asked no other machine for anything", () => {
  expect(console.outside).toEqual([]);
});
