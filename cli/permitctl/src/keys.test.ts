/** The commands that need files but no Redis; nothing answers at the URL that they get. */
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { PermitClaims } from "@quantum/contract";
import { loadSigningKey } from "@quantum/signing";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { permitctl } from "./outcomes.fixture.ts";

const NO_REDIS = "redis://127.0.0.1:1";
const run = (...args: string[]) => permitctl(NO_REDIS, args);

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "quantum-keys-"));
});
afterEach(() => rm(dir, { recursive: true }));

const inDir = (name: string) => join(dir, name);

/**
 * Creates a key with the command.
 * @returns its id
 */
async function made(issuer: string): Promise<string> {
  const { code, stdout } = await run("keys", "new", issuer, "--folder", dir, "--json");
  expect(code).toBe(0);
  return (JSON.parse(stdout) as { kid: string }).kid;
}

describe("keys new", () => {
  it("makes both files, says where they are, and shows nothing that is private", async () => {
    const { code, stdout, stderr } = await run("keys", "new", "p33", "--folder", dir);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect((await readdir(dir)).toSorted()).toEqual(["issuers.json", "p33.pem"]);
    expect((await stat(inDir("p33.pem"))).mode & 0o777).toBe(0o600);
    expect((await stat(inDir("issuers.json"))).mode & 0o777).toBe(0o644);
    const { kid } = await loadSigningKey(inDir("p33.pem"));
    expect(stdout).toContain(`p33 has key ${kid}.`);
    const secret = (await readFile(inDir("p33.pem"), "utf8")).split("\n")[1] ?? "";
    expect(stdout).not.toContain(secret.slice(-40));
  });

  it("overwrites nothing", async () => {
    await made("p33");
    const before = await readFile(inDir("p33.pem"), "utf8");
    const { code, stderr } = await run("keys", "new", "p33", "--folder", dir);
    expect(code).toBe(1);
    expect(stderr).toBe(`permitctl: ${inDir("p33.pem")} exists, and is not overwritten\n`);
    expect(await readFile(inDir("p33.pem"), "utf8")).toBe(before);
  });

  it.each(["../p33", "P33", "p33.pem"])("takes no issuer named %s", async (issuer) => {
    expect(await run("keys", "new", issuer, "--folder", dir)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("is no issuer's name"),
    });
    expect(await readdir(dir)).toEqual([]);
  });

  it("says why it cannot write", async () => {
    expect(await run("keys", "new", "p33", "--folder", inDir("none"))).toMatchObject({
      code: 1,
      stderr: `permitctl: ${inDir("none/p33.pem")} cannot be written: ENOENT\n`,
    });
  });
});

describe("keys show", () => {
  it("lists every public key, and of a private one its public half", async () => {
    const kids = { governor: await made("governor"), p33: await made("p33") };
    const { stdout } = await run("keys", "show", inDir("issuers.json"));
    for (const [issuer, kid] of Object.entries(kids))
      expect(stdout).toMatch(new RegExp(`^  ${issuer} +${kid} `, "m"));
    const { publicKey } = await loadSigningKey(inDir("p33.pem"));
    const { stdout: one } = await run("keys", "show", inDir("p33.pem"), "--json");
    expect(JSON.parse(one)).toEqual({ kid: kids.p33, public_key: publicKey });
  });

  it("refuses files that others can change or read, and says the rule", async () => {
    await made("p33");
    await chmod(inDir("issuers.json"), 0o666);
    await chmod(inDir("p33.pem"), 0o644);
    expect(await run("keys", "show", inDir("issuers.json"))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("has mode 0666: others must not be able to add keys"),
    });
    expect(await run("keys", "show", inDir("p33.pem"))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining("has mode 0644: others must have no access to a private key"),
    });
  });

  it("cannot be made to steer a terminal by a file", async () => {
    await writeFile(
      inDir("issuers.json"),
      JSON.stringify({ "\u001b[2J": {}, p33: { "\u001b[31m": "\u0007" } }),
    );
    const { code, stderr } = await run("keys", "show", inDir("issuers.json"));
    expect(code).toBe(1);
    expect(stderr).toContain(String.raw`\u001b[2J`);
    expect(stderr.replace(/\n$/, "")).toMatch(/^[ -~]+$/);
  });
});

describe("keys rotate", () => {
  it("puts another key in its place, keeps the old public key, and retires it when asked", async () => {
    const old = await made("p33");
    const { code, stdout } = await run("keys", "rotate", "p33", "--folder", dir, "--json");
    expect(code).toBe(0);
    const { kid } = JSON.parse(stdout) as { kid: string };
    expect((await loadSigningKey(inDir("p33.pem"))).kid).toBe(kid);
    const listed = async () =>
      Object.keys((JSON.parse(await readFile(inDir("issuers.json"), "utf8")) as { p33: object }).p33);
    expect(await listed()).toEqual([old, kid]);

    const retire = (key: string) => run("keys", "rotate", "p33", "--folder", dir, "--retire", key);
    expect(await retire(kid)).toMatchObject({ code: 1, stderr: expect.stringContaining("replace it first") });
    expect(await retire(old)).toMatchObject({ code: 0, stdout: expect.stringContaining("counts as forged") });
    expect(await retire(old)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(`lists no key ${old}`),
    });
    expect(await listed()).toEqual([kid]);
    await rm(inDir("p33.pem"));
    expect((await retire(kid)).stdout).toContain("It was the last one: no permit of p33 counts now");
  });

  it("needs a folder, and a key in it", async () => {
    expect(await run("keys", "rotate", "p33")).toMatchObject({ code: 2 });
    expect(await run("keys", "rotate", "p33", "--folder", dir)).toMatchObject({
      code: 1,
      stderr: `permitctl: ${inDir("p33.pem")} does not exist\n`,
    });
  });
});

describe("permit verify", () => {
  const CLAIMS: Omit<PermitClaims, "kid"> = {
    issuer: "p33",
    class: "issuer",
    mode: "paper",
    venue: "simulated",
    account: "main",
    plan: "0123456789abcdef",
    attempt: "1700000000000-0",
    symbol: "币安人生USDT",
    side: "SELL",
    step: "CLOSE_PARTIAL_75",
    pct: "75",
    safe_qty: "0.75",
    position: "1",
    computed_qty: "",
    issued_ms: "1700000000001",
    until_ms: "1700000090001",
  };

  async function signed(issuer: string, more: Partial<PermitClaims> = {}): Promise<string> {
    const signer = await loadSigningKey(inDir(`${issuer}.pem`));
    return signer.sign({ ...CLAIMS, issuer, ...more });
  }
  async function verify(content: string, ...args: string[]) {
    await writeFile(inDir("permit"), content);
    return run("permit", "verify", inDir("permit"), "--keys", inDir("issuers.json"), ...args);
  }

  it("shows the issuer, the key and every field of a permit that is valid", async () => {
    const kid = await made("p33");
    const { code, stdout } = await verify(JSON.stringify({ allow: true, signed: await signed("p33") }));
    expect(code).toBe(0);
    expect(stdout).toContain(`permit of p33, key ${kid}: valid\n`);
    const { issuer: _, ...others } = CLAIMS;
    for (const [name, value] of Object.entries(others))
      expect(stdout).toMatch(new RegExp(`^  ${name}${value === "" ? "$" : ` +${value}`}`, "m"));
    expect(stdout).toMatch(/issued_ms +1700000000001 \(2023-11-14T22:13:20\.001Z\)$/m);
  });

  it("checks each text of an entry, and a text alone", async () => {
    await made("p33");
    await made("governor");
    const texts = [await signed("governor"), await signed("p33")];
    const entry = await verify(JSON.stringify({ plan_id: CLAIMS.plan, signed: texts.join("\n") }), "--json");
    expect(entry.code).toBe(0);
    expect(JSON.parse(entry.stdout)).toMatchObject([
      { issuer: "governor", valid: true },
      { issuer: "p33", valid: true, safe_qty: "0.75" },
    ]);
    expect((await verify(`${texts[0]}\n`)).code).toBe(0);
  });

  it("says what is wrong with one that is not, and fails if only one is not", async () => {
    await made("p33");
    const right = await signed("p33");
    const wrong = right.replace("safe_qty=0.75", "safe_qty=9.75");
    const { code, stdout } = await verify(`${right}\n${wrong}`);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^permit of p33, key [0-9a-f]{16}: valid$/m);
    expect(stdout).toMatch(
      /^permit of p33, key [0-9a-f]{16}: forged: the signature is not that of p33's key/m,
    );
    expect(stdout).toMatch(/^ {2}safe_qty +9\.75$/m);
  });

  it.each([
    ['{"granted":true}', "permit: unsigned: it has no signed text"],
    ["granted", "permit: forged: its signed text does not begin with v=1"],
    ["", "permit: unsigned: it has no signed text"],
  ])("finds nothing that is signed in %s", async (content, text) => {
    await made("p33");
    const { code, stdout } = await verify(content);
    expect({ code, stdout }).toEqual({ code: 1, stdout: `${text}\n` });
  });

  it("needs a file that it can read, and keys", async () => {
    await made("p33");
    expect(await run("permit", "verify", inDir("none"), "--keys", inDir("issuers.json"))).toMatchObject({
      code: 2,
    });
    expect(await verify("{")).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("neither a permit nor"),
    });
    expect(await run("permit", "verify", inDir("permit"))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--keys FILE"),
    });
    expect(await run("permit", "verify", inDir("permit"), "--keys", inDir("none"))).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("does not exist"),
    });
  });
});
