/** The documents against a pipeline that runs: what it shows and writes must stand in them. */
import { HOSTED } from "@quantum/topology";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { eventually } from "@quantum/harness";
import { type Rig, startRig } from "@quantum/harness/rig";
import { renderMetrics } from "./metrics.ts";
import { FIELDS, PROPOSAL_FIELDS, type StreamName } from "./wire-fields.ts";
import { KEY_NOTES } from "./wire-keys.ts";

const RESULTS = 6;
const RUN_MS = 20_000;
const KEYS_SCANNED = 10_000;
/** How Redis says it. */
const NO_TTL = -1;
const GONE = -2;

let rig: Rig;
const urls: string[] = [];

beforeAll(async () => {
  rig = await startRig();
  const start = async (name: string, env = {}) => urls.push((await rig.start(name, env)).url);
  await Promise.all(HOSTED.map(({ name }) => start(name)));
  await start("harvest-feed", { FEED_MAX: String(RESULTS), FEED_RATE: "100" });
  const { client, keys } = rig;
  const ended = async () => (await client.xlen(keys.streams.result)) >= RESULTS || undefined;
  await eventually(ended, RUN_MS, `${RESULTS} results`);
});
afterAll(() => rig.stop());

describe("a running pipeline", () => {
  it("shows the metrics that metrics.md names", async () => {
    const documented = [...renderMetrics().matchAll(/^\| `(\w+)`/gm)].map(([, name]) => name);
    const texts = await Promise.all(urls.map(async (url) => (await fetch(`${url}/metrics`)).text()));
    const shown = texts.flatMap((text) => [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name = ""]) => name));
    const own = shown.filter((name) => !/^(process|nodejs)_/.test(name));
    expect(new Set(own)).toEqual(new Set(documented));
  });

  it.each(["proposal", "plan", "permit", "execute", "result"] satisfies StreamName[])(
    "writes no field to the stream of %ss that wire.md does not explain",
    async (name) => {
      const entries = await rig.client.xrange(rig.keys.streams[name], "-", "+");
      const written = new Set(entries.flatMap(([, flat]) => flat.filter((_, index) => index % 2 === 0)));
      const explained = { ...FIELDS[name].meanings, ...(name === "proposal" ? PROPOSAL_FIELDS : {}) };
      expect(written).toContain("symbol");
      expect([...written].filter((field) => !(field in explained))).toEqual([]);
    },
  );

  it("keeps its keys as wire.md describes them", async () => {
    const { client, keys } = rig;
    const streams = new Set<string>(Object.values(keys.streams));
    const [, found] = await client.scan("0", "MATCH", "quantum:*", "COUNT", KEYS_SCANNED);
    const kept = found.filter((key) => !streams.has(key) && !key.startsWith(`${keys.jobs}:`));
    const contradictions = await Promise.all(
      kept.map(async (key) => contradiction(key, await client.type(key), await client.ttl(key))),
    );
    expect(kept.length).toBeGreaterThan(0);
    expect(contradictions.flat()).toEqual([]);
  });
});

/** What is wrong with the note on a key; one that is gone has run out meanwhile. */
function contradiction(key: string, type: string, ttlSec: number): string[] {
  const note = KEY_NOTES.find((candidate) => patternOf(candidate.key).test(key));
  if (type === "none" || ttlSec === GONE) return [];
  if (note === undefined) return [`${key} is not described`];
  const fits =
    typeof note.ttlSec === "number"
      ? ttlSec >= 0 && ttlSec <= note.ttlSec
      : note.ttlSec !== "none" || ttlSec === NO_TTL;
  const described = note.type.toLowerCase().replace(" json", "");
  return [
    ...(described === type ? [] : [`${key} is a ${type}`]),
    ...(fits ? [] : [`${key} has a TTL of ${ttlSec} s`]),
  ];
}

function patternOf(key: string): RegExp {
  const places: Readonly<Record<string, string>> = {
    "{plan_id}": "[0-9a-f]{16}",
    "{SYM}": String.raw`[\p{L}0-9_]+`,
    "{issuer}": "[a-z][a-z0-9]*",
    "{q3}": String.raw`\{q\d+\}`,
    "{egress}": String.raw`[\w-]+`,
    "{account}": String.raw`[\w-]+`,
    "{YYYY-MM-DD}": String.raw`\d{4}-\d{2}-\d{2}`,
  };
  const pattern = key.replaceAll(/\{[^}]*\}/g, (place) => places[place] ?? place).replaceAll(", ", "|");
  return new RegExp(`^(${pattern})$`, "u");
}
