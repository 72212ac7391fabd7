/** The boundaries that .oxlintrc.json draws between folders bite: an import over each of them is an error. */
import { execFile } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "..");

/** What each file imports, and who may import it. */
const FORBIDDEN = {
  "services/executor/src/a.ts": 'import "@quantum/harness";',
  "packages/streams/src/a.ts": 'import "@quantum/harness";',
  "packages/redis/src/a.ts": 'import "@quantum/harness";',
  "packages/exchange/src/a.ts": 'import "@quantum/harness";',
  "packages/operator/src/a.ts": 'import "@quantum/harness";',
  "packages/operator/src/b.ts": 'import { styled } from "@quantum/service-kit"; styled("red", "a");',
  "cli/permitctl/src/a.ts": 'import "@quantum/harness";',
  "cli/permitctl/src/b.ts": 'import "@quantum/redis";',
  "cli/permitctl/src/c.ts": 'import "@quantum/streams";',
  "cli/permitctl/src/d.ts": 'import "@quantum/permits";',
  "services/executor/src/b.ts": 'import "ioredis";',
  "services/executor/src/c.ts": 'import "binance";',
  "services/executor/src/c.test.ts": 'import "ioredis";',
  "packages/redis/src/b.ts": 'import "binance";',
  "packages/issuer/src/a.ts": 'import { sign } from "node:crypto"; sign(null, "a", "b");',
  "services/executor/src/e.ts": 'import { verify } from "node:crypto"; verify(null, "a", "b", "c");',
  "services/executor/src/f.ts": 'import * as crypto from "node:crypto"; crypto.sign(null, "a", "b");',
  "packages/redis/src/d.ts": 'import crypto from "crypto"; crypto.sign(null, "a", "b");',
  "packages/exchange/src/c.ts": 'import { createPrivateKey } from "node:crypto"; createPrivateKey("a");',
  "packages/operator/src/d.ts": 'import { createPublicKey } from "node:crypto"; createPublicKey("a");',
  "packages/harness/src/a.ts":
    'import { generateKeyPairSync } from "node:crypto"; generateKeyPairSync("ed25519");',
  "packages/exchange/src/d.test.ts": 'import { sign } from "node:crypto"; sign(null, "a", "b");',
  "packages/redis/src/d.test.ts": 'import { sign } from "node:crypto"; sign(null, "a", "b");',
  "cli/permitctl/src/e.ts": 'import { generateKeyPair } from "node:crypto"; generateKeyPair;',
  "tests/a.test.ts": 'import { createSign } from "node:crypto"; createSign("a");',
  "packages/signing/src/c.ts": 'import "ioredis";',
};
const ALLOWED = {
  "services/executor/src/d.test.ts": 'import "@quantum/harness";',
  "services/executor/src/d.fixture.ts": 'import "@quantum/harness";',
  "cli/permitctl/src/d.test.ts": 'import "@quantum/harness"; import "@quantum/redis";',
  "cli/start/src/a.ts": 'import "@quantum/harness";',
  "campaign/src/a.ts": 'import "@quantum/harness";',
  "packages/operator/src/c.ts": 'import { integer } from "@quantum/service-kit"; integer("", 1);',
  "packages/redis/src/c.ts": 'import "ioredis";',
  "packages/redis/src/c.test.ts": 'import "ioredis";',
  "packages/exchange/src/b.ts": 'import "binance";',
  "packages/signing/src/a.ts":
    'import { sign, verify } from "node:crypto"; sign(null, "a", "b"); verify(null, "a", "b", "c");',
  "packages/signing/src/a.test.ts": 'import { createPrivateKey } from "node:crypto"; createPrivateKey("a");',
  "services/executor/src/g.ts":
    'import { createHash, randomUUID } from "node:crypto"; createHash(randomUUID());',
};

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "quantum-"));
  cpSync(join(ROOT, ".oxlintrc.json"), join(folder, ".oxlintrc.json"));
  for (const [file, text] of Object.entries({ ...FORBIDDEN, ...ALLOWED })) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), `${text}\n`);
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("refuses each import over a boundary, and no other", async () => {
  const { promise, resolve } = Promise.withResolvers<string>();
  const lint = join(ROOT, "node_modules/.bin/oxlint");
  execFile(lint, ["--format=json", "."], { cwd: folder }, (_error, stdout) => resolve(stdout));
  const { diagnostics } = JSON.parse(await promise) as { diagnostics: { code: string; filename: string }[] };
  const refused = diagnostics
    .filter(({ code }) => code.includes("no-restricted-imports"))
    .map(({ filename }) => filename);
  expect([...new Set(refused)].toSorted()).toEqual(Object.keys(FORBIDDEN).toSorted());
});
