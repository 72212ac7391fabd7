/** The conformance check passes issuers that work, and each of its cases fails for an issuer that is broken in that way. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkIssuer, issuerCases } from "@quantum/harness";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { PYTHON, WITHOUT_PYTHON } from "./python-with-redis.ts";

const ROOT = join(import.meta.dirname, "..");
const EXAMPLE = join(ROOT, "examples/issuer.py");
const NODE = process.execPath;
/** As in PARTITIONS, where several are tried. */
const PARTITIONS = 6;

const flawsOf = async (check: Parameters<typeof checkIssuer>[0]) => {
  const { cases, output } = await checkIssuer(check);
  const broken = cases.filter(({ flaws }) => flaws.length > 0);
  const sentences = broken.map(({ name, flaws }) => `${name}: ${flaws[0]}; its last lines:\n${output}`);
  return { ran: cases.length, broken: sentences };
};

describe("the issuer check passes", () => {
  it.each([
    ["hours", "examples/trading-hours/main.ts", 1, { HOURS_FROM: "0", HOURS_TO: "24" }],
    ["hours", "examples/trading-hours/main.ts", PARTITIONS, { HOURS_FROM: "0", HOURS_TO: "24" }],
    ["toy", "tests/toy-issuer/main.ts", 1, {}],
    ["governor", "services/governor/main.mjs", 1, {}],
    ["governor", "services/governor/main.mjs", PARTITIONS, {}],
    ["p26", "services/portfolio-gate/main.mjs", 1, {}],
    ["p26", "services/portfolio-gate/main.mjs", PARTITIONS, {}],
  ])("%s (%s), with PARTITIONS=%i", async (issuer, main, partitions, env) => {
    const { ran, broken } = await flawsOf({ issuer, command: [NODE, join(ROOT, main)], env, partitions });
    expect(broken).toEqual([]);
    expect(ran).toBe(issuerCases(partitions).length);
  });

  it.skipIf(PYTHON === undefined).each([1, PARTITIONS])(
    `example (examples/issuer.py), with PARTITIONS=%i${WITHOUT_PYTHON}`,
    async (partitions) => {
      const { ran, broken } = await flawsOf({
        issuer: "example",
        command: [PYTHON ?? "", EXAMPLE],
        env: {},
        partitions,
      });
      expect(broken).toEqual([]);
      expect(ran).toBe(issuerCases(partitions).length);
    },
  );
});

it("says that an issuer which permits nothing cannot be checked: trading hours that are over", async () => {
  const command = [NODE, join(ROOT, "examples/trading-hours/main.ts")];
  const env = { HOURS_FROM: "0", HOURS_TO: "0" };
  const { cases } = await checkIssuer({ issuer: "hours", command, env, only: ["permit"] });
  expect(cases.map(({ flaws }) => flaws.join("\n"))).toEqual([expect.stringContaining("none of 16 plans")]);
});

/** The case that must fail, with what it says, and what is changed in examples/issuer.py. */
const BROKEN: [name: string, flaw: string, from: string, to: string][] = [
  ["first start", "an answer with its wake-up", 'id="0", mkstream', 'id="$", mkstream'],
  [
    "in time",
    "answered after",
    "        reason = self.decide",
    // 16 plans take 8 s, of 15 that all answers have.
    "        time.sleep(0.5)\n        reason = self.decide",
  ],
  ["in time", "issuer another", "'issuer', issuer, 'verdict'", "'issuer', 'another', 'verdict'"],
  [
    "permit",
    "symbol is",
    '"allow": denial is None, "symbol": symbol',
    '"allow": denial is None, "symbol": "ETHUSDT"',
  ],
  ["permit", "attempt is", "attempt=attempt)", "attempt=plan_id)"],
  ["permit TTL", "lives", "PERMIT_TTL_SEC = 60", "PERMIT_TTL_SEC = 2"],
  ["permit TTL", "no TTL", "'SET', permit, body, 'EX', ttl", "'SET', permit, body"],
  ["signature", "forged", 'self.key.sign(text.encode("ascii"))', 'self.key.sign(text.encode("utf-16"))'],
  ["signature", "signed attempt", '"attempt": attempt,\n', '"attempt": "1-1",\n'],
  ["signature", "signed pct", '"pct": format', '"pct": 100 or format'],
  ["signature", "until_ms", "+ WAY_TO_EXECUTOR_MS", ""],
  ["signature", "unsigned", "self.signer and step", "False and step"],
  [
    "no answer asked",
    "a permit",
    'plan["decision"] != "EXECUTE"',
    `plan["decision"] != "EXECUTE" and not self.redis.set(f"quantum:permit:example:{plan['plan_id']}", '{"allow": true}')`,
  ],
  ["ended plan", "a permit", "state ~= 'WAITING' or of ~= attempt or stamp", "stamp"],
  ["redelivery", "2 answers", "or of ~= attempt or stamp", "or of ~= attempt"],
  [
    "restart",
    "an answer with its wake-up",
    'cursor, reclaim_at = "0", time.monotonic()',
    'cursor, reclaim_at = ">", time.monotonic() + 1e6',
  ],
  [
    // It looks, and then acts: right for one instance.
    "two at once",
    "2 answers",
    "        return self.redis.eval(ANSWER,",
    `        if self.redis.hexists(keys[0], "example_verdict"):
            return self.redis.xack(self.keys.plans, GROUP, attempt)
        time.sleep(0.02)
        return self.redis.eval(ANSWER.replace("or stamp", ""),`,
  ],
  ["kill switch", "a permit", "if not running then return 'kill_switch_active' end", ""],
  ["disarm", "a permit", "if redis.call('EXISTS', disarm, disarm_today) > 0 then return 'disarmed' end", ""],
  ["denial", "no reason", '"reason": denial or "not_frozen"}', '"why": denial, "reason": ""}'],
  [
    "denial",
    "no JSON",
    "answers or '0') or 0) + 1)",
    "answers or '0') or 0) + 1)\nif verdict == 'denied' then body = 'no' end",
  ],
  ["malformed plan", "has ended", "except (ValueError, KeyError, TypeError)", "except ZeroDivisionError"],
  ["every partition", "an answer with its wake-up", "for at in range(count))", "for at in (1,))"],
  ["wire's kill switch", "with the mark: running, of more than 5 s ago", "or age_ms > 5000 then", "then"],
  ["wire's kill switch", "with the mark: running, in the future", "or age_ms < 0", ""],
  ["wire's kill switch", "with the mark: halted", "if word ~= 'running' then", "if not word then"],
  ["stop", "did not end", "lambda *_: stopping.set()", "lambda *_: None"],
];

describe.skipIf(PYTHON === undefined)(`the issuer check fails${WITHOUT_PYTHON}`, () => {
  let folder = "";
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "quantum-issuer-"));
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  it("in each of its cases for one broken issuer at least", () => {
    expect([...new Set(BROKEN.map(([name]) => name))].toSorted()).toEqual(issuerCases(PARTITIONS).toSorted());
  });

  // Most of them wait for what does not come.
  it.concurrent.each(BROKEN)("%s, which says %j", async (name, flaw, from, to) => {
    const text = await readFile(EXAMPLE, "utf8");
    const changed = text.replace(from, () => to);
    expect(changed).not.toBe(text);
    const file = join(await mkdtemp(join(folder, "broken-")), "issuer.py");
    await writeFile(file, changed);
    const command = [PYTHON ?? "", file];
    const partitions = issuerCases(1).includes(name) ? 1 : PARTITIONS;
    const { cases } = await checkIssuer({ issuer: "example", command, env: {}, partitions, only: [name] });
    expect(cases.map(({ flaws }) => flaws.join("\n"))).toEqual([expect.stringContaining(flaw)]);
  });
});
