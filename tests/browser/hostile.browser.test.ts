/** Whoever writes to Redis writes to every field of the screens. The texts stay texts. */
import { type Rig, startRig } from "@quantum/harness/rig";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { keepFailures, openConsole, type TestConsole, type Visit } from "./console.ts";
import { endOne, plant, PLAN, RAN, SYMBOL, unseenIn } from "./hostile.ts";
import { planHash, type Screen, SCREENS, SHOW_ALL, symbolHash } from "./names.ts";

let rig: Rig;
let console: TestConsole;
keepFailures(() => console);
let visits: Visit[];
let visit: Visit;

beforeAll(async () => {
  rig = await startRig();
  await plant(rig);
  console = await openConsole(rig);
  visits = [
    await console.visitAs("operator"),
    await console.visitAs("viewer", { size: "phone", colours: "dark" }),
  ];
  [visit] = visits as [Visit];
});
afterAll(async () => {
  await console?.close();
  await rig?.stop();
});

/** Every screen, with its name. Each is opened again for each visit. */
const PLACES: readonly [name: string, open: (visit: Visit) => Promise<void>, shows: RegExp][] = [
  ...(Object.keys(SCREENS) as Screen[]).map((screen): [string, (visit: Visit) => Promise<void>, RegExp] => [
    screen,
    (visit) => visit.openScreen(screen),
    {
      Now: /\[kill\].*\[disarm\]/,
      Plans: /\[stray\./,
      "Dead letters": /\[letter\./,
      Symbols: /<b onclick/,
      Audit: /\[audit\./,
      Checks: /./,
    }[screen],
  ]),
  ["a plan", (visit) => visit.open(planHash(PLAN), `Plan ${PLAN}`), /\[record\.reason\]<script>/],
  ["a symbol", (visit) => visit.open(symbolHash("BTCUSDT"), "BTCUSDT"), /\[snapshot\.|\[ledger\./],
  [
    "a symbol that is markup",
    (visit) => visit.open(symbolHash(encodeURIComponent(SYMBOL)), SYMBOL),
    /<b onclick/,
  ],
];

describe.each(PLACES)("on %s", (name, open, shows) => {
  it("they are shown as they are, run nothing, fetch nothing and hide nothing", async () => {
    for (const each of visits) {
      await open(each);
      const shown = () => each.page.evaluate<string>("document.body.textContent");
      await expect.poll(shown).toMatch(shows);
      const text = await shown();
      expect(unseenIn(text), `of ${name}`).toEqual([]);
      expect(await each.page.evaluate(RAN)).toBeUndefined();
      await each.expectSound(`hostile ${name}`);
    }
  });
});

it("what ends while somebody looks is a text, too", async () => {
  await visit.openScreen("Now");
  await endOne(rig);
  const shown = () => visit.page.evaluate<string>("document.body.textContent");
  await expect.poll(shown).toContain("[late.executed_qty]");
  expect(unseenIn(await shown())).toEqual([]);
  await visit.expectSound("an end that is hostile");
});

it("a text of 10 kB is cut, and shown as a whole when asked for", async () => {
  await visit.openScreen("Dead letters");
  const main = visit.page.getByRole("main");
  await main
    .getByRole("button", { name: /^Show \d/ })
    .first()
    .click();
  const lengthBefore = ((await main.textContent()) ?? "").length;
  await main.getByRole("button", { name: SHOW_ALL }).first().click();
  await expect
    .poll(async () => ((await main.textContent()) ?? "").length)
    .toBeGreaterThan(lengthBefore + 5_000);
  await visit.expectSound("a long text as a whole");
});

it("what is typed into a search or a link is a text, too", async () => {
  const markup = `<img src=x onerror="${RAN}=7">`;
  await visit.page.goto(`/#/plans/${encodeURIComponent(markup)}`);
  await visit.page.goto(
    `/#/plans?symbol=${encodeURIComponent(markup)}&outcome=${encodeURIComponent(markup)}`,
  );
  await visit.page.goto(`/#/${encodeURIComponent(markup)}`);
  await visit.openScreen("Now");
  expect(await visit.page.evaluate(RAN)).toBeUndefined();
});

it("has asked no other machine for anything", () => {
  expect(console.outside).toEqual([]);
});
