/** What an operator does from the console, what a viewer cannot, and that each change is on record with its reason. */
import { readKillSwitch } from "@quantum/service-kit";
import { eventually, patienceMs } from "@quantum/harness";
import { parseEntries } from "@quantum/streams";
import type { Locator } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  bringAbout,
  type Outcomes,
  type Pipeline,
  startPipeline,
} from "../../cli/permitctl/src/outcomes.fixture.ts";
import { isShown, keepFailures, openConsole, PASSWORDS, type TestConsole, type Visit } from "./console.ts";
import { BUTTONS, LOGIN, planHash, type Screen, SCREENS, symbolHash } from "./names.ts";

const SETUP_MS = 120_000;
const PATIENCE_MS = 10_000;
/** From the click to the key in Redis. */
const KILL_MS = 2_000;
const REASON = "prices of the venue were wrong; <b>checked</b> with desk 2";
/** By its name at the console. */
const WHO = "operator@console";

let pipeline: Pipeline;
let console: TestConsole;
keepFailures(() => console);
let operator: Visit;
let viewer: Visit;
let plans: Outcomes;

beforeAll(async () => {
  pipeline = await startPipeline();
  plans = await bringAbout(pipeline);
  console = await openConsole(pipeline.rig);
  operator = await console.visitAs("operator");
  viewer = await console.visitAs("viewer");
}, SETUP_MS);
afterAll(async () => {
  await console?.close();
  await pipeline?.stop();
});

const killSwitch = () => readKillSwitch(pipeline.rig.client, pipeline.rig.keys);

async function audit(): Promise<Record<string, string>[]> {
  const { client, keys } = pipeline.rig;
  return parseEntries(await client.xrange(keys.streams.operatorAudit, "-", "+")).map(({ fields }) => fields);
}

/**
 * Its dialog says what it will do; it is refused without a reason, and does nothing then; with one it is done, and the
 * screen Audit says by whom and why.
 */
async function act(button: Locator, says: RegExp, action: string, target: string): Promise<object> {
  const before = (await audit()).length;
  await button.click();
  const { dialog, reason, submit } = operator.dialog();
  await dialog.getByText(says).first().waitFor();
  await operator.expectSound(`the dialog of ${action}`);
  if (action === "kill.off") await operator.shoot("action");
  if (await submit.isEnabled()) await submit.click();
  expect(await dialog.isVisible(), "without a reason it stays open").toBe(true);
  expect((await audit()).length, "without a reason nothing is done").toBe(before);
  await reason.fill(REASON);
  await submit.click();
  await dialog.waitFor({ state: "detached" });
  const entry = await eventually(
    async () => (await audit()).find((each) => each["action"] === action && each["target"] === target),
    PATIENCE_MS,
    `audit entry of ${action}`,
  );
  await operator.openScreen("Audit");
  const row = operator.page.getByRole("row").filter({ hasText: action }).first();
  await row.getByText(WHO).waitFor();
  await row.getByText(REASON).waitFor();
  return entry;
}

const ON_RECORD = { who: WHO, reason: REASON };

describe("a login", () => {
  it("is refused with a wrong password, in words, and shows nothing before it", async () => {
    const visit = await console.visit();
    visit.guard.expects(/answer 401|status of 401/);
    await visit.page.goto("/");
    await visit.page.getByRole("heading", { name: LOGIN.heading }).waitFor();
    expect(await visit.region("services").count()).toBe(0);
    await visit.expectSound("login");
    await visit.logIn("operator", "not the password of anybody");
    await visit.page.getByRole("alert").waitFor();
    await visit.logIn("operator", PASSWORDS.operator);
    await visit.page.getByRole("heading", { level: 1, name: "Now" }).waitFor();
    await visit.button("killOn").waitFor();
    await visit.page.getByRole("button", { name: LOGIN.out }).click();
    await visit.page.getByRole("heading", { name: LOGIN.heading }).waitFor();
    await visit.close();
  });

  it("leads on to the plan whose link was opened", async () => {
    const visit = await console.visit();
    visit.guard.expects(/answer 401|status of 401/);
    await visit.page.goto(`/${planHash(plans.EXECUTED)}`);
    await visit.logIn("viewer", PASSWORDS.viewer);
    const heading = visit.page.getByRole("heading", { level: 1, name: `Plan ${plans.EXECUTED}` });
    expect(await isShown(heading)).toBe(true);
    await visit.close();
  });
});

describe("a viewer", () => {
  it("is shown everything and offered nothing, and is told why", async () => {
    const places: [name: string, open: () => Promise<void>][] = [
      ...(Object.keys(SCREENS) as Screen[]).map((screen): [string, () => Promise<void>] => [
        screen,
        () => viewer.openScreen(screen),
      ]),
      ["a plan", () => viewer.open(planHash(plans.NOT_PLACED), `Plan ${plans.NOT_PLACED}`)],
      ["a held symbol", () => viewer.open(symbolHash("XRPUSDT"), "XRPUSDT")],
    ];
    for (const [name, open] of places) {
      await open();
      for (const button of ["killOn", "killOff", "force", "holdAccept", "requeue", "drop"] as const)
        expect(await viewer.button(button).count(), `${name}: ${BUTTONS[button]}`).toBe(0);
    }
    await viewer.openScreen("Now");
    await viewer.page
      .getByText(/viewer/i)
      .first()
      .waitFor();
  });

  it("is refused by the server as well, whatever its page sends", async () => {
    const { context } = viewer;
    const me = (await (await context.request.get("/api/me")).json()) as { csrf: string };
    const answer = await context.request.post("/api/actions/kill-on", {
      data: {},
      headers: { origin: console.url, "x-csrf-token": me.csrf },
    });
    expect(answer.status()).toBe(403);
    expect((await killSwitch()).on).toBe(false);
  });
});

describe("an operator", () => {
  it("halts in one action, within two seconds, and is asked for nothing", async () => {
    await operator.openScreen("Plans");
    await operator.button("killOn").waitFor();
    const clickedAt = performance.now();
    await operator.button("killOn").click();
    await eventually(async () => (await killSwitch()).on || undefined, PATIENCE_MS, "the kill switch is on");
    expect(performance.now() - clickedAt).toBeLessThan(patienceMs(KILL_MS));
    await operator.region("halted").getByText(WHO).waitFor();
    await viewer.region("halted").waitFor();
    expect((await audit()).at(-1)).toMatchObject({ action: "kill.on", who: WHO });
  });

  it("lets it go on again with a reason", async () => {
    await operator.openScreen("Now");
    expect(
      await act(operator.button("killOff").first(), /continue|again|claimed/i, "kill.off", "kill_switch"),
    ).toMatchObject(ON_RECORD);
    expect((await killSwitch()).on).toBe(false);
    await viewer.region("halted").waitFor({ state: "detached" });
  });

  it("arms what the governor has disarmed", async () => {
    const { client, keys } = pipeline.rig;
    const disarm = { reason: "burst_limit", context: { symbol: "BTCUSDT" }, timestamp: Date.now() / 1_000 };
    await client.set(keys.disarm, JSON.stringify(disarm));
    await operator.openScreen("Now");
    await operator.page.getByText("burst_limit").first().waitFor();
    expect(
      await act(operator.button("disarmClear").first(), /disarm|arm/i, "disarm.clear", "disarm"),
    ).toMatchObject(ON_RECORD);
    expect(await client.exists(keys.disarm)).toBe(0);
  });

  it("ends a pause that the exchange asked for", async () => {
    const { client, keys } = pipeline.rig;
    const pause = { until_ms: Date.now() + 600_000, reason: "429" };
    await client.set(keys.exchangePause("requests"), JSON.stringify(pause), "EX", 600);
    await operator.openScreen("Now");
    expect(
      await act(operator.button("exchangeResume").first(), /pause|exchange/i, "exchange.resume", "exchange"),
    ).toMatchObject(ON_RECORD);
  });

  it("accepts the exchange's position of a held symbol", async () => {
    await operator.open(symbolHash("XRPUSDT"), "XRPUSDT");
    expect(
      await act(operator.button("holdAccept").first(), /position|ledger/i, "hold.accept", "XRPUSDT"),
    ).toMatchObject(ON_RECORD);
  });

  it("lets a plan open again that was blocked", async () => {
    const planId = plans["BLOCKED, an issuer is missing"];
    await operator.open(planHash(planId), `Plan ${planId}`);
    expect(
      await act(operator.button("force").first(), /open again|opens again|open/i, "force", planId),
    ).toMatchObject(ON_RECORD);
  });

  it("requeues and drops dead letters, several at once", async () => {
    const { client, keys } = pipeline.rig;
    for (let no = 0; no < 3; no += 1)
      await client.xadd(keys.streams.plan, "*", "plan_id", `nothing-${no}`, "symbol", "BTCUSDT");
    const letters = async () => parseEntries(await client.xrange(keys.streams.deadLetter, "-", "+"));
    /** Both issuers give each entry up. */
    const allSix = (but: string) =>
      eventually(
        async () => {
          const found = (await letters()).filter(({ id }) => id !== but);
          return found.length >= 6 ? found : undefined;
        },
        PATIENCE_MS,
        "six dead letters",
      );
    const [first] = await allSix("");
    await operator.openScreen("Dead letters");
    const rows = operator.page.getByRole("main").getByRole("row");
    await rows.getByRole("checkbox").nth(6).waitFor();
    await operator.shoot("dead-letters");
    const id = first?.id ?? "";
    await rows.filter({ hasText: id }).getByRole("checkbox").check();
    expect(await act(operator.button("requeue").first(), /given back to/, "dlq.requeue", id)).toMatchObject(
      ON_RECORD,
    );
    // It is as bad as before.
    const last = (await allSix(id)).at(-1);
    await operator.openScreen("Dead letters");
    await rows.filter({ hasText: last?.id ?? "" }).waitFor();
    await operator.page.getByRole("checkbox", { name: "Choose all that are shown" }).check();
    expect(
      await act(operator.button("drop").first(), /to be deleted/, "dlq.drop", last?.id ?? ""),
    ).toMatchObject(ON_RECORD);
    await eventually(
      async () => (await letters()).length === 0 || undefined,
      PATIENCE_MS,
      "all dead letters are dropped",
    );
  });

  it("is shown the commands that need an operator's key, and no button for them", async () => {
    await operator.open(symbolHash("BTCUSDT"), "BTCUSDT");
    for (const command of [/permitctl flatten BTCUSDT/, /permitctl close BTCUSDT/, /permitctl flatten --all/])
      await operator.page.getByRole("main").getByText(command).first().waitFor();
    const buttons = operator.page.getByRole("main").getByRole("button", { name: /^(flatten|close)/i });
    expect(await buttons.count()).toBe(0);
    await viewer.openScreen("Audit");
    await viewer.shoot("audit");
  });
});

it("has asked no other machine for anything", () => {
  expect([...operator.guard.problems, ...viewer.guard.problems]).toEqual([]);
  expect(console.outside).toEqual([]);
});
