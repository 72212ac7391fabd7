import { execFileSync } from "node:child_process";
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createKeyPair } from "./ed25519.ts";
import { KeyFileError, loadIssuerKeys, loadSigningKey } from "./key-files.ts";

const pair = createKeyPair();
let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "quantum-keys-"));
});
afterAll(() => rm(dir, { recursive: true }));

async function given(name: string, content: string, mode: number): Promise<string> {
  const file = join(dir, name);
  await writeFile(file, content);
  await chmod(file, mode);
  return file;
}

/** The reader's error, without the file's name. */
async function refusal(load: (file: string) => Promise<unknown>, file: string): Promise<string> {
  const error = await load(file).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(KeyFileError);
  const { message, cause } = error as Error;
  expect(message).not.toContain(pair.privateKey.split("\n")[1]);
  expect(cause).toBeUndefined();
  expect(message.startsWith(`${file} `)).toBe(true);
  return message.slice(file.length + 1);
}

describe("a private key's file", () => {
  it.each([0o600, 0o400, 0o440, 0o640])("is read with mode %o", async (mode) => {
    const file = await given("mine.pem", pair.privateKey, mode);
    expect(await loadSigningKey(file)).toMatchObject({ kid: pair.kid, publicKey: pair.publicKey });
    await rm(file);
  });

  it.each([
    [0o644, "0644"],
    [0o604, "0604"],
    [0o602, "0602"],
    [0o601, "0601"],
    [0o444, "0444"],
  ])("is refused with mode %o", async (mode, shown) => {
    const file = await given("others.pem", pair.privateKey, mode);
    expect(await refusal(loadSigningKey, file)).toBe(
      `has mode ${shown}: others must have no access to a private key: chmod 600`,
    );
  });

  it("may be reached by a link", async () => {
    const link = join(dir, "link.pem");
    await symlink(await given("linked.pem", pair.privateKey, 0o600), link);
    expect(await loadSigningKey(link)).toMatchObject({ kid: pair.kid });
  });

  it("must exist, be a file, and be small", async () => {
    expect(await refusal(loadSigningKey, join(dir, "none.pem"))).toBe("does not exist");
    await mkdir(join(dir, "folder.pem"));
    expect(await refusal(loadSigningKey, join(dir, "folder.pem"))).toBe("is not a file");
    const pipe = join(dir, "pipe.pem");
    execFileSync("mkfifo", ["-m", "600", pipe]);
    expect(await refusal(loadSigningKey, pipe)).toBe("is not a file");
    const large = await given("large.pem", pair.privateKey + " ".repeat(4_096), 0o600);
    expect(await refusal(loadSigningKey, large)).toBe("has more than 4096 bytes");
  });

  it.each([
    ["public", pair.publicKey],
    ["twice", pair.privateKey + pair.privateKey],
    ["encrypted", pair.privateKey.replaceAll("PRIVATE", "ENCRYPTED PRIVATE")],
    ["empty", ""],
  ])("is refused when it is %s", async (_, content) => {
    const file = await given("other.pem", content, 0o600);
    expect(await refusal(loadSigningKey, file)).toMatch(/^is no PEM file with one unencrypted private key/);
  });
});

describe("the file of public keys", () => {
  const listing = JSON.stringify({ p33: { [pair.kid]: pair.publicKey } });

  it("may be read by everybody", async () => {
    const keys = await loadIssuerKeys(await given("issuers.json", listing, 0o644));
    expect([...keys.listed.keys()]).toEqual(["p33"]);
  });

  it("is refused if everybody could add a key", async () => {
    const file = await given("open.json", listing, 0o666);
    expect(await refusal(loadIssuerKeys, file)).toBe(
      "has mode 0666: others must not be able to add keys: chmod 644",
    );
  });

  it("is refused with all that is wrong, and nothing that is secret", async () => {
    const file = await given("wrong.json", JSON.stringify({ P33: {}, p33: { [pair.kid]: "x" } }), 0o644);
    expect(await refusal(loadIssuerKeys, file)).toBe(
      `does not list public keys: "P33" is no issuer's name; p33.${pair.kid}: is not base64url of 32 bytes`,
    );
    const secret = await given("secret.json", pair.privateKey, 0o644);
    expect(await refusal(loadIssuerKeys, secret)).toBe("does not list public keys: is not JSON");
    expect(await readFile(secret, "utf8")).toBe(pair.privateKey);
  });
});
