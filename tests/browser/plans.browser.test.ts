/** A plan's page for every outcome, how one finds it, and that it says what `permitctl explain` says. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  bringAbout,
  OUTCOME_NAMES,
  type Outcomes,
  type Pipeline,
  startPipeline,
} from "../../cli/permitctl/src/outcomes.fixture.ts";
import { isShown, keepFailures, openConsole, type TestConsole, type Visit } from "./console.ts";
import { planHash, TIMELINE } from "./names.ts";

const SETUP_MS = 120_000;

/** Of docs/console.md. */
const PICTURES: Partial<Record<keyof Outcomes, string>> = {
  EXECUTED: "plan-executed",
  "BLOCKED, an issuer is missing": "plan-blocked",
};

interface Explained {
  symbol: string;
  state: string;
  reason: string;
  conclusion: string;
  attempts: { stages: { stage: string; text: string }[] }[];
}

let pipeline: Pipeline;
let console: TestConsole;
keepFailures(() => console);
let visit: Visit;
let phone: Visit;
let plans: Outcomes;

beforeAll(async () => {
  pipeline = await startPipeline();
  plans = await bringAbout(pipeline);
  console = await openConsole(pipeline.rig);
  visit = await console.visitAs("viewer");
  phone = await console.visitAs("operator", { size: "phone", colours: "dark" });
}, SETUP_MS);
afterAll(async () => {
  await console?.close();
  await pipeline?.stop();
});

/** As people read it. */
const shownAs = (state: string) => (state === "UNKNOWN" ? "IN DOUBT" : state.replaceAll("_", " "));

async function explained(planId: string): Promise<Explained> {
  const { stdout } = await pipeline.permitctl("--json", "explain", planId);
  return JSON.parse(stdout) as Explained;
}

describe("a plan's page", () => {
  it.each(OUTCOME_NAMES)("says why it ended: %s", async (outcome) => {
    const planId = plans[outcome];
    const told = await explained(planId);
    await visit.open(planHash(planId), `Plan ${planId}`);
    const { page } = visit;
    const main = page.getByRole("main");
    await main.getByText(told.conclusion).first().waitFor();
    await main.getByText(shownAs(told.state), { exact: true }).first().waitFor();
    await main.getByRole("img", { name: TIMELINE }).first().waitFor();
    const shown = (await main.innerText()).replaceAll(/\s+/g, " ");
    expect(shown).toContain(told.symbol);
    expect(shown).toContain(told.reason);
    for (const { stages } of told.attempts)
      for (const { text } of stages) expect(shown).toContain(text.replaceAll(/\s+/g, " "));
    await visit.expectSound(`a plan's page, ${outcome}`);
    const picture = PICTURES[outcome];
    if (picture !== undefined) await visit.shoot(picture);
  });

  it("is readable on a phone, in the dark", async () => {
    for (const planId of [plans.EXECUTED, plans["BLOCKED, an issuer is missing"], plans.UNKNOWN]) {
      await phone.open(planHash(planId), `Plan ${planId}`);
      await phone.page.getByRole("img", { name: TIMELINE }).first().waitFor();
      await phone.expectSound("a plan's page");
    }
    await phone.shoot("plan-phone");
    expect(await isShown(phone.page.getByText("IN DOUBT"))).toBe(true);
  });

  it("lets every value be copied, the address of the page included", async () => {
    const planId = plans.EXECUTED;
    await visit.context.grantPermissions(["clipboard-read", "clipboard-write"]);
    await visit.open(planHash(planId), `Plan ${planId}`);
    const copy = async (what: string) => {
      await visit.page
        .getByRole("button", { name: `Copy ${what}`, exact: true })
        .first()
        .click();
      return visit.page.evaluate("navigator.clipboard.readText()");
    };
    expect(await copy("plan id")).toBe(planId);
    expect(await copy("sentence")).toBe((await explained(planId)).conclusion);
    expect(await copy("client_order_id")).toMatch(new RegExp(`^qp-${planId}-`));
    expect(await copy("link to this page")).toBe(visit.page.url());
  });

  it("is a link that can be sent: another browser opens it", async () => {
    await visit.open(planHash(plans.REJECTED), `Plan ${plans.REJECTED}`);
    const link = visit.page.url();
    const another = await console.visitAs("operator");
    await another.page.goto(link);
    const heading = another.page.getByRole("heading", { level: 1, name: `Plan ${plans.REJECTED}` });
    expect(await isShown(heading)).toBe(true);
    await another.close();
  });

  it("says that nothing is known of a plan that never was", async () => {
    visit.guard.expects(/answer 404|status of 404/);
    await visit.open(planHash("0123456789abcdef"), "Plan 0123456789abcdef");
    expect(await isShown(visit.page.getByText(/knows nothing of this plan/))).toBe(true);
    await visit.expectSound("an unknown plan");
  });
});

describe("a list of plans", () => {
  it("has all of them, newest first, and each leads to its page", async () => {
    await visit.openScreen("Plans");
    const table = visit.page.getByRole("main").getByRole("table");
    const linkTo = (planId: string) => table.getByRole("link", { name: planId }).first();
    for (const outcome of OUTCOME_NAMES) await linkTo(plans[outcome]).waitFor();
    await visit.shoot("plans");
    await linkTo(plans.NOT_PLACED).click();
    const heading = visit.page.getByRole("heading", { level: 1, name: `Plan ${plans.NOT_PLACED}` });
    expect(await isShown(heading)).toBe(true);
  });

  it("is searched by outcome, symbol in any case, reason and issuer, and its address says so", async () => {
    const { page } = visit;
    const filters: [label: string, text: string, found: keyof Outcomes, other: keyof Outcomes][] = [
      ["Outcome", "NOT_PLACED", "NOT_PLACED", "EXECUTED"],
      ["Symbol", "xrpusdt", "BLOCKED, an issuer denies", "EXECUTED"],
      ["Reason", "missing_p33", "BLOCKED, an issuer is missing", "BLOCKED, the kill switch is on"],
      ["Denied or capped by", "p33", "BLOCKED, an issuer denies", "EXECUTED"],
    ];
    for (const [label, text, found, other] of filters) {
      await visit.openScreen("Plans");
      const table = page.getByRole("main").getByRole("table");
      // The list without a filter, whose form is an empty one.
      await table.getByRole("link", { name: plans[other] }).waitFor();
      const box = page.getByRole("main").getByLabel(label);
      if (label === "Symbol" || label === "Reason") await box.fill(text);
      else await box.selectOption(text);
      await page.getByRole("main").getByRole("button", { name: "Search", exact: true }).click();
      await table.getByRole("link", { name: plans[other] }).waitFor({ state: "detached" });
      await table.getByRole("link", { name: plans[found] }).waitFor();
      await page.reload();
      await table.getByRole("link", { name: plans[found] }).waitFor();
      expect(await table.getByRole("link", { name: plans[other] }).count()).toBe(0);
    }
  });

  it.each<["Plans" | "Dead letters", string]>([
    ["Plans", "Reason"],
    ["Plans", "Symbol"],
    ["Dead letters", "Reason"],
  ])("%s: what is half typed into %s stays while the pipeline goes on", async (screen, label) => {
    const { client, keys } = pipeline.rig;
    await visit.openScreen(screen);
    const box = visit.page.getByRole("main").getByLabel(label);
    await box.fill("half");
    // What is shown is drawn again with everything that is new.
    await client.set(keys.killSwitch, "1");
    await visit.region("halted").waitFor();
    await client.del(keys.killSwitch);
    await visit.region("halted").waitFor({ state: "detached" });
    expect(await box.inputValue()).toBe("half");
  });

  it("finds a plan by its id from the keyboard alone", async () => {
    const { page } = visit;
    await visit.openScreen("Now");
    await page.keyboard.press("/");
    await page.keyboard.type(plans.SKIP);
    await page.keyboard.press("Enter");
    expect(await isShown(page.getByRole("heading", { level: 1, name: `Plan ${plans.SKIP}` }))).toBe(true);
  });
});

describe("somebody who sees the console for the first time", () => {
  it("finds why a plan was blocked in three clicks", async () => {
    const planId = plans["BLOCKED, an issuer is missing"];
    await visit.openScreen("Now");
    await visit.click("Plans");
    const row = visit.page.getByRole("main").getByRole("row").filter({ hasText: "missing_p33" });
    await row.getByRole("link", { name: planId }).click();
    const { conclusion } = await explained(planId);
    expect(await isShown(visit.page.getByText(conclusion))).toBe(true);
  });
});

describe("a symbol's page", () => {
  it("shows position, ledger and the hold, and what would have to be accepted", async () => {
    await visit.open("#/symbols/XRPUSDT", "XRPUSDT");
    const shown = await visit.page.getByRole("main").innerText();
    expect(shown).toMatch(/hold|held/i);
    await visit.expectSound("a held symbol");
    await visit.shoot("symbol-held");
  });
});

describe("the keyboard", () => {
  it("leads to each screen, shows what it can do, and traps nobody", async () => {
    const { page } = visit;
    await visit.openScreen("Now");
    await page.keyboard.press("g");
    await page.keyboard.press("p");
    await page.getByRole("heading", { level: 1, name: "Plans" }).waitFor();
    await page.keyboard.press("g");
    await page.keyboard.press("n");
    await page.getByRole("heading", { level: 1, name: "Now" }).waitFor();
    await page.keyboard.press("?");
    await page.getByRole("dialog").waitFor();
    await visit.expectSound("help");
    await visit.shoot("help");
    await page.keyboard.press("Escape");
    await page.getByRole("dialog").waitFor({ state: "detached" });
    // Focus goes through everything and out again.
    let focused = 0;
    for (; focused < 300; focused += 1) {
      await page.keyboard.press("Tab");
      // By the element itself: two links to one plan look the same.
      const again = await page.evaluate<boolean>(
        "(() => { const seen = (window.seen ??= new Set()); const at = document.activeElement; const again = seen.has(at); seen.add(at); return again; })()",
      );
      if (again) break;
    }
    expect(focused).toBeGreaterThan(20);
    expect(focused).toBeLessThan(300);
  });
});

it("has asked no other machine for anything", () => {
  expect(console.outside).toEqual([]);
});
