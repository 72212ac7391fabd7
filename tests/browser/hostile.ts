/**
 * Texts as somebody writes them who wants to run code on an operator's screen, hide something there, or make it unusable,
 * and every place of Redis from which the console may show one. Redis is believed in nothing (docs/security.md).
 */
import type { RedisClient } from "@quantum/redis";
import type { Rig } from "@quantum/harness/rig";

/** Set by any of the scripts below, were one run. */
export const RAN = "window.hostile";

/** 10 kB without a place to break the line. */
const LONG = "W".repeat(10_000);

/** Characters that a terminal or a browser obeys instead of showing them, by their numbers. No page may have one in its text. */
export function unseenIn(text: string): string[] {
  // The page's own source has lines.
  const unseen = text.match(/[\p{C}\p{Zl}\p{Zp}]/gu)?.filter((character) => character !== "\n") ?? [];
  return [...new Set(unseen)].map((character) => `U+${character.codePointAt(0)?.toString(16)}`);
}

const TEXTS = {
  markup: `<script>${RAN}=1</script><img src=x onerror="${RAN}=2"><svg onload="${RAN}=3">`,
  attribute: `" autofocus onfocus="${RAN}=4" x='`,
  address: `javascript:${RAN}=5`,
  elsewhere: '<img src="https://tracker.invalid/a.png"><link rel=stylesheet href=//tracker.invalid/a.css>',
  template: "${7*7} {{7*7}} <%= 7*7 %>",
  terminal: "\u001b[2J\u001b[31mred\u001b[0m\u001b]0;owned\u0007\r\n\u0000\u009b1m",
  directions:
    "\u202eecnalab\u202c \u2066x\u2069 \u0627\u0644\u0631\u0635\u064a\u062f \u05e9\u05dc\u05d5\u05dd\u200b",
  long: LONG,
};

/** One of the texts, with a mark by which the test finds it. */
export type Hostile = (mark: string, kind: keyof typeof TEXTS) => string;
const hostile: Hostile = (mark, kind) => `[${mark}]${TEXTS[kind]}`;

export const KINDS = Object.keys(TEXTS) as (keyof typeof TEXTS)[];

/** Of a plan with a readable id, so that its page opens; everything else about it is hostile. */
export const PLAN = "badc0ffee0ddf00d";
/** Of an order in doubt. */
const DOUBTED = "0123456789abcdef";
/** Keys that name it may be listed on any screen. */
export const SYMBOL = `<b onclick="${RAN}=6">X</b>USDT`;

const flat = (fields: Record<string, string>) => Object.entries(fields).flat();
/** A mapping from the names, each with a text of its own. */
const all = (mark: string, names: readonly string[], kind: keyof typeof TEXTS) =>
  Object.fromEntries(names.map((name) => [name, hostile(`${mark}.${name}`, kind)]));

const PLAN_FIELDS = [
  "state symbol mode step close_pct attempt_no answers reason detail order_id executed_qty client_order_id side quantity",
  "governor_verdict governor_reason governor_key governor_signature governor_cap p33_verdict p33_reason p33_key safe_qty",
  "wait_ms operator exit_why hand_over exit_report class",
].flatMap((line) => line.split(" "));
const ORDER_FIELDS =
  "state symbol client_order_id side quantity why detail stated_by stated_outcome reason step".split(" ");
const RESULT_FIELDS =
  "decision executed outcome reason error detail order_id executed_qty avg_price wait_ms class corrects timestamp".split(
    " ",
  );

/** Writes them all, once of each kind where a place takes many. Nothing of the pipeline runs, so nothing is repaired. */
export async function plant({ client, keys }: Rig): Promise<void> {
  const { streams } = keys;
  const add = (stream: string, fields: Record<string, string>) => client.xadd(stream, "*", ...flat(fields));
  const nowMs = Date.now();

  const attempt = await add(streams.plan, {
    plan_id: PLAN,
    symbol: "BTCUSDT",
    ...all(
      "plan",
      ["action", "kill_score", "decision", "reason_codes", "steps", "mode", "deadline_ms"],
      "markup",
    ),
  });
  await client.hset(keys.order(PLAN), all("order", ORDER_FIELDS, "attribute"));
  for (const kind of KINDS) {
    await add(streams.permit, {
      plan_id: PLAN,
      symbol: "BTCUSDT",
      attempt: attempt ?? "",
      issued_at_ms: String(nowMs),
      ...all("permit", ["issuer", "verdict", "reason"], kind),
    });
    await add(streams.result, {
      plan_id: PLAN,
      symbol: "BTCUSDT",
      attempt: attempt ?? "",
      ...all("result", RESULT_FIELDS, kind),
    });
    // No plan's id, and no symbol's name.
    await add(streams.result, {
      ...all("stray", ["plan_id", "symbol", ...RESULT_FIELDS], kind),
    });
    await add(
      streams.deadLetter,
      all("letter", ["stream", "group", "reason", "entry.symbol", "error", kind], kind),
    );
    await add(streams.operatorAudit, {
      ...all("audit", ["action", "target", "who", "reason", "detail"], kind),
      at_ms: String(nowMs),
    });
    await add(streams.governorEvents, all("event", ["event", "symbol", "reason"], kind));
  }
  // Its times are right: by them its entries are found.
  await client.hset(keys.plan(PLAN), {
    ...all("record", PLAN_FIELDS, "markup"),
    opened_at_ms: String(nowMs),
    verdict_at_ms: String(Date.now()),
    ended_at_ms: String(Date.now()),
    attempt: attempt ?? "",
  });
  await plantState(client, keys, nowMs);
}

/** A plan that ends while somebody looks. */
export async function endOne({ client, keys }: Rig): Promise<void> {
  const fields = all("late", ["plan_id", "symbol", ...RESULT_FIELDS], "directions");
  await client.xadd(keys.streams.result, "*", ...flat(fields));
}

/** What the screen Now and the symbols' pages read. */
async function plantState(client: RedisClient, keys: Rig["keys"], nowMs: number): Promise<void> {
  await client.set(keys.killSwitch, hostile("kill", "markup"));
  await client.xadd(
    keys.streams.operatorAudit,
    "*",
    ...flat({
      action: "kill.on",
      target: "kill_switch",
      ...all("killer", ["who", "reason"], "directions"),
      at_ms: String(nowMs),
      detail: "{}",
    }),
  );
  await client.set(
    keys.disarm,
    JSON.stringify({
      reason: hostile("disarm", "markup"),
      context: { [TEXTS.markup]: TEXTS.terminal },
      timestamp: nowMs / 1_000,
    }),
  );
  await client.set(keys.exchangePause("requests"), hostile("pause", "markup"), "EX", 3_600);
  await client.hset(keys.exit, all("exit", ["operators", "keys", "mode", "venue", "drill_at_ms"], "markup"));
  await client.hset(keys.orderOwner, all("owner", ["instance", "since_ms", "seen_ms"], "markup"));
  await client.hset(keys.booker, all("booker", ["instance", "since_ms", "seen_ms"], "terminal"));
  for (const symbol of ["BTCUSDT", SYMBOL]) {
    await client.hset(
      keys.snapshot(symbol),
      all(
        "snapshot",
        ["position_amt", "side", "entry_price", "mark_price", "ts_epoch", "source", "version"],
        "markup",
      ),
    );
    await client.hset(keys.ledger(symbol), {
      ...all(
        "ledger",
        ["last_known_amt", "last_order_id", "last_side", "origin", "booked_orders"],
        "directions",
      ),
      disagrees_since_ms: String(nowMs - 60_000),
    });
    await client.sadd(keys.waitingSymbols, symbol);
    await client.sadd(keys.orderSymbols, symbol);
    await client.zadd(keys.waiting(symbol), nowMs + 600_000, PLAN);
    await client.zadd(keys.waiting(symbol), nowMs + 600_000, hostile("waiting", "markup"));
    await client.sadd(keys.unknown(symbol), DOUBTED, hostile("unknown", "markup"));
    await client.set(keys.closeWanted(symbol), hostile("wanted", "markup"));
  }
  await client.hset(keys.order(DOUBTED), { ...all("doubt", ORDER_FIELDS, "long"), state: "UNKNOWN" });
}
