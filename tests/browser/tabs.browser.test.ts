/** Ten tabs of one browser beside a busy pipeline: all of them live, over one event stream, and a halt that comes at once. */
import { readKillSwitch } from "@quantum/service-kit";
import { join } from "node:path";
import { addRunOperator, eventually, patienceMs, RUN_OPERATOR } from "@quantum/harness";
import { type Rig, startRig } from "@quantum/harness/rig";
import { operatorKeyFile } from "@quantum/topology";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { permitctl } from "../../cli/permitctl/src/outcomes.fixture.ts";
import { isShown, keepFailures, openConsole, type TestConsole, type Visit } from "./console.ts";
import { BUTTONS, REGIONS } from "./names.ts";

/** A browser opens no more than six connections to a server over HTTP/1.1. */
const TABS = 10;
const FEED = { FEED_RATE: "50", FEED_MAX: "0", FEED_IN_FLIGHT_PER_SYMBOL: "4" };
const PATIENCE_MS = 15_000;
const KILL_MS = 2_000;

let rig: Rig;
let console: TestConsole;
keepFailures(() => console);
let visit: Visit;
const tabs: Page[] = [];

beforeAll(async () => {
  rig = await startRig();
  // What operators run on.
  await rig.client.config("SET", "appendfsync", "always");
  // Two who could close everything, as there should be.
  await addRunOperator(rig.keysFolder, "second");
  const services = ["apply-layer", "governor", "position-brain", "executor"];
  await Promise.all(services.map((name) => rig.start(name)));
  await drill();
  console = await openConsole(rig);
  await rig.start("harvest-feed", FEED);
  visit = await console.visitAs("operator");
  tabs.push(visit.page);
  while (tabs.length < TABS) tabs.push(await visit.context.newPage());
  for (const tab of tabs.slice(0, TABS)) await tab.goto("/#/now");
});
afterAll(async () => {
  await console?.close();
  await rig?.stop();
});

/** One of them shows that it would work. */
async function drill(): Promise<void> {
  const place = ["--mode", "paper", "--venue", "simulated", "--account", "main"];
  const args = ["flatten", "--all", "--drill", ...place, "--yes", "--reason", "the monthly one"];
  const key = join(rig.keysFolder, operatorKeyFile(RUN_OPERATOR));
  const { code, stderr } = await permitctl(rig.redis.url, args, undefined, { PERMITCTL_OPERATOR_KEY: key });
  if (code !== 0) throw new Error(stderr);
}

/** What changes on it with every verdict. */
const verdictOf = (tab: Page) => tab.getByLabel(REGIONS.ended, { exact: true }).getByRole("listitem").first();

async function expectLive(tab: Page): Promise<void> {
  const before = await verdictOf(tab).textContent();
  await expect.poll(() => verdictOf(tab).textContent(), { timeout: PATIENCE_MS }).not.toBe(before);
}

/** By the console's own count. */
async function streams(): Promise<number> {
  const metrics = await (await fetch(`${console.url}/metrics`)).text();
  return Number(/^quantum_console_streams (\d+)/m.exec(metrics)?.[1]);
}

it("all tabs are live, over one event stream", async () => {
  for (const tab of tabs) await expectLive(tab);
  expect(await streams()).toBe(1);
  await visit.shoot("now-busy");
});

it("the operators' exit is shown as armed", async () => {
  const exit = visit.region("glance").getByText("armed", { exact: true });
  expect(await isShown(exit)).toBe(true);
});

it("they stay live when the tab is closed that was opened first", async () => {
  await tabs.shift()?.close();
  for (const tab of tabs) await expectLive(tab);
  expect(await streams()).toBe(1);
});

it("a halt in one tab stops the pipeline within two seconds, and every tab says so", async () => {
  const [tab] = tabs as [Page];
  // The browser serves first the tab that somebody looks at.
  await tab.bringToFront();
  const button = tab.getByRole("button", { name: BUTTONS.killOn, exact: true });
  await button.hover();
  const clickedAt = performance.now();
  await button.click();
  const isOn = async () => (await readKillSwitch(rig.client, rig.keys)).on || undefined;
  await eventually(isOn, PATIENCE_MS, "the kill switch is on");
  expect(performance.now() - clickedAt).toBeLessThan(patienceMs(KILL_MS));
  for (const other of tabs) await other.getByLabel(REGIONS.halted, { exact: true }).waitFor();
});

it("nothing went wrong in any of them", () => {
  expect(visit.guard.problems).toEqual([]);
  expect(console.outside).toEqual([]);
});
