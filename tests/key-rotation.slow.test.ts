/** An issuer's key is rotated while plans flow. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { ISSUERS } from "@quantum/contract";
import { type Rig, startRig } from "@quantum/harness/rig";
import { loadSigningKey } from "@quantum/signing";
import { addedAtMs } from "@quantum/streams";
import { PIPELINE, privateKeyFile, PUBLIC_KEYS_FILE } from "@quantum/topology";
import { afterAll, beforeAll, expect, it } from "vitest";
import { runFeed } from "./feed-run.ts";

const ROOT = join(import.meta.dirname, "..");
/** At this rate they take 32 s, on any machine; the rotations take about 10 s. */
const PLANS = 800;
const RATE_PER_SEC = 25;

let rig: Rig;
beforeAll(async () => {
  rig = await startRig();
  await Promise.all(PIPELINE.map(({ name }) => rig.start(name)));
});
afterAll(() => rig.stop());

/** As an operator does it. */
async function rotate(issuer: string) {
  const args = ["scripts/permitctl.mjs", "keys", "rotate", issuer, "--folder", rig.keysFolder, "--json"];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT });
  return { issuer, ...(JSON.parse(stdout) as { kid: string; before: string }), rotatedMs: Date.now() };
}

async function rotateAll() {
  const rotations: Awaited<ReturnType<typeof rotate>>[] = [];
  for (const issuer of ISSUERS) rotations.push(await rotate(issuer));
  return rotations;
}

it("loses no plan, and refuses no permit", async () => {
  const [{ history }, rotations] = await Promise.all([
    runFeed(rig, PLANS, ISSUERS, { ratePerSec: RATE_PER_SEC }),
    rotateAll(),
  ]);
  const listed = JSON.parse(await readFile(join(rig.keysFolder, PUBLIC_KEYS_FILE), "utf8")) as Record<
    string,
    Record<string, string>
  >;
  const executed = history.results.filter(({ outcome }) => outcome === "EXECUTED");
  for (const { issuer, kid, before, rotatedMs } of rotations) {
    expect((await loadSigningKey(join(rig.keysFolder, privateKeyFile(issuer)))).kid).toBe(kid);
    expect(Object.keys(listed[issuer] ?? {})).toEqual([before, kid]);
    // There were orders on both sides.
    const afterwards = executed.filter(({ id }) => addedAtMs(id) > rotatedMs);
    expect(afterwards.length).toBeGreaterThan(0);
    expect(executed.length - afterwards.length).toBeGreaterThan(0);
  }
  expect(history.results.filter(({ outcome }) => outcome === "NOT_PLACED")).toEqual([]);
  expect(await rig.client.xlen(rig.keys.streams.deadLetter)).toBe(0);
});
