/** The lists of public keys that the executor follows: issuers and operators, and never one key for both. */
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseVenue } from "@quantum/exchange";
import { newKey, provideKey } from "@quantum/signing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Config } from "./config.ts";
import { type FollowedTrust, followTrust } from "./trust.ts";

const PATIENCE_MS = 10_000;

let folder: string;
let issuers: string;
let operators: string;
const followed: FollowedTrust[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "quantum-trust-"));
  [issuers, operators] = [join(folder, "issuers.json"), join(folder, "operators.json")];
  for (const issuer of ["governor", "p33"])
    await newKey({ issuer, privateFile: join(folder, `${issuer}.pem`), publicFile: issuers });
  await newKey({ issuer: "alice", privateFile: join(folder, "operator-alice.pem"), publicFile: operators });
});
afterAll(async () => {
  await Promise.all(followed.map((one) => one.stop()));
  await rm(folder, { recursive: true });
});

const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

async function follow(over: Partial<Config> = {}): Promise<FollowedTrust> {
  const config = {
    EXECUTOR_MODE: "paper",
    EXECUTOR_REQUIRED_ISSUERS: ["governor", "p33"],
    EXECUTOR_UNSIGNED_ISSUERS: [],
    EXECUTOR_ISSUER_KEYS_FILE: issuers,
    EXECUTOR_OPERATOR_KEYS_FILE: operators,
    QUANTUM_ACCOUNT: "main",
    ...over,
  };
  const trust = await followTrust(config as never, parseVenue("http://127.0.0.1:1"), log as never);
  followed.push(trust);
  return trust;
}

describe("the operators' keys", () => {
  it("are a list of their own, of which each list knows only its own", async () => {
    const { trust } = await follow();
    expect([...trust.keys().listed.keys()].toSorted()).toEqual(["governor", "p33"]);
    expect([...trust.operatorKeys().listed.keys()]).toEqual(["alice"]);
  });

  it("may be missing: then nobody is enrolled", async () => {
    const { trust, problems } = await follow({ EXECUTOR_OPERATOR_KEYS_FILE: undefined });
    expect([trust.operatorKeys().count, problems()]).toEqual([0, []]);
  });

  it("may be listed later: until their file is there nobody is enrolled, and that is no problem", async () => {
    const later = join(folder, "later.json");
    const { trust, problems } = await follow({ EXECUTOR_OPERATOR_KEYS_FILE: later });
    expect([trust.operatorKeys().count, problems()]).toEqual([0, []]);
    await copyFile(operators, later);
    await expect.poll(() => trust.operatorKeys().count, { timeout: PATIENCE_MS }).toBe(1);
    await rm(later);
    await expect.poll(() => trust.operatorKeys().count, { timeout: PATIENCE_MS }).toBe(0);
    expect(problems()).toEqual([]);
  });

  it("prevent the start if an issuer has one of them", async () => {
    const shared = join(folder, "shared.json");
    await newKey({ issuer: "carol", privateFile: join(folder, "operator-carol.pem"), publicFile: shared });
    // The same private half, enrolled for both.
    const both = join(folder, "both.json");
    await copyFile(issuers, both);
    await provideKey({ issuer: "p26", privateFile: join(folder, "operator-carol.pem"), publicFile: both });
    await expect(
      follow({ EXECUTOR_ISSUER_KEYS_FILE: both, EXECUTOR_OPERATOR_KEYS_FILE: shared }),
    ).rejects.toThrow(
      /EXECUTOR_OPERATOR_KEYS_FILE: \S+shared\.json lists key [0-9a-f]{16} of carol, which EXECUTOR_ISSUER_KEYS_FILE lists for p26/,
    );
  });

  it("prevent the start if they list a required issuer", async () => {
    await expect(follow({ EXECUTOR_OPERATOR_KEYS_FILE: issuers })).rejects.toThrow(
      /EXECUTOR_OPERATOR_KEYS_FILE: \S+ lists governor, p33, which EXECUTOR_REQUIRED_ISSUERS names: no issuer is an operator/,
    );
  });

  it("stay what they were if one of them is enrolled as an issuer's while the service runs", async () => {
    const own = join(folder, "own.json");
    await copyFile(issuers, own);
    const { trust, problems } = await follow({ EXECUTOR_ISSUER_KEYS_FILE: own });
    await provideKey({ issuer: "p26", privateFile: join(folder, "operator-alice.pem"), publicFile: own });
    await expect
      .poll(problems, { timeout: PATIENCE_MS })
      .toEqual([expect.stringMatching(/of p26, which EXECUTOR_OPERATOR_KEYS_FILE lists for alice/)]);
    expect(trust.keys().has("p26")).toBe(false);
    expect(trust.operatorKeys().has("alice")).toBe(true);
  });

  it("are replaced while the service runs", async () => {
    const own = join(folder, "enrolled.json");
    await copyFile(operators, own);
    const { trust } = await follow({ EXECUTOR_OPERATOR_KEYS_FILE: own });
    await newKey({ issuer: "bob", privateFile: join(folder, "operator-bob.pem"), publicFile: own });
    await expect.poll(() => trust.operatorKeys().has("bob"), { timeout: PATIENCE_MS }).toBe(true);
  });
});
