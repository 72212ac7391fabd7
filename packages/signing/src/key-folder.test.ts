import { mkdtemp, readdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createKeyPair } from "./ed25519.ts";
import { KeyFileError, loadIssuerKeys, loadSigningKey } from "./key-files.ts";
import { newKey, provideKey, replaceKey, retireKey } from "./key-folder.ts";

let dir = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "quantum-keys-"));
});
afterEach(() => rm(dir, { recursive: true }));

const place = (issuer: string) => ({
  issuer,
  privateFile: join(dir, `${issuer}.pem`),
  publicFile: join(dir, "issuers.json"),
});
const modeOf = async (name: string) => ((await stat(join(dir, name))).mode & 0o777).toString(8);
const listed = async () =>
  JSON.parse(await readFile(join(dir, "issuers.json"), "utf8")) as Record<string, Record<string, string>>;

const atOnce = () => Promise.resolve();

describe("a new key", () => {
  it("is in a file for its owner alone, its public half in one for everybody, whatever the umask", async () => {
    const umask = process.umask(0o077);
    try {
      const signer = await newKey(place("governor"));
      expect(await listed()).toEqual({ governor: { [signer.kid]: signer.publicKey } });
    } finally {
      process.umask(umask);
    }
    expect([await modeOf("governor.pem"), await modeOf("issuers.json")]).toEqual(["600", "644"]);
    expect((await readdir(dir)).toSorted()).toEqual(["governor.pem", "issuers.json"]);
  });

  it("stands beside those of others", async () => {
    const signers = [await newKey(place("governor")), await newKey(place("p33"))];
    expect(Object.keys(await listed())).toEqual(["governor", "p33"]);
    const keys = await loadIssuerKeys(place("p33").publicFile);
    expect(keys.find("p33", signers[1]?.kid ?? "")).not.toHaveProperty("flaw");
  });

  it("never takes the place of another", async () => {
    const { kid } = await newKey(place("governor"));
    await expect(newKey(place("governor"))).rejects.toThrow(/governor\.pem exists, and is not overwritten$/);
    expect((await loadSigningKey(place("governor").privateFile)).kid).toBe(kid);
  });

  it.each(["../p33", "P33", "", "p33.pem"])("has an issuer with a name, not %j", async (issuer) => {
    await expect(newKey({ ...place("p33"), issuer })).rejects.toThrow(RangeError);
    expect(await readdir(dir)).toEqual([]);
  });

  it("is not made where the list of public keys is wrong", async () => {
    await writeFile(place("p33").publicFile, "{");
    await expect(newKey(place("p33"))).rejects.toThrow(KeyFileError);
    expect(await readFile(place("p33").publicFile, "utf8")).toBe("{");
    expect(await readdir(dir)).not.toContain("issuers.json.new");
  });
});

describe("a key that is provided", () => {
  it("is the same one each time, and is listed again if the list was lost", async () => {
    const { kid } = await provideKey(place("p33"));
    await rm(place("p33").publicFile);
    expect((await provideKey(place("p33"))).kid).toBe(kid);
    expect(Object.keys((await listed())["p33"] ?? {})).toEqual([kid]);
  });

  it("is one, whole, of several providers at once, and leaves no drafts behind", async () => {
    const files = Array.from({ length: 4 }, (_, n) => ({
      ...place("p33"),
      publicFile: join(dir, `list-${n}.json`),
    }));
    const provided = await Promise.allSettled(files.map(provideKey));
    const { kid } = await loadSigningKey(place("p33").privateFile);
    const kids = provided.flatMap((one) => (one.status === "fulfilled" ? [one.value.kid] : []));
    expect(new Set(kids)).toEqual(new Set([kid]));
    const refusals = provided.flatMap((one) => (one.status === "rejected" ? [String(one.reason)] : []));
    expect(refusals.filter((refusal) => !refusal.endsWith("cannot be written: EEXIST"))).toEqual([]);
    expect((await readdir(dir)).filter((name) => name.startsWith("p33"))).toEqual(["p33.pem"]);
  });
});

describe("a key that is replaced", () => {
  it("signs until the new one is listed, and stays on the list", async () => {
    const { kid } = await newKey(place("p33"));
    const { before, after } = await replaceKey(place("p33"), atOnce);
    expect(before.kid).toBe(kid);
    expect(after.kid).not.toBe(kid);
    expect((await loadSigningKey(place("p33").privateFile)).kid).toBe(after.kid);
    expect(Object.keys((await listed())["p33"] ?? {})).toEqual([kid, after.kid]);
    expect(await modeOf("p33.pem")).toBe("600");
    expect((await readdir(dir)).toSorted()).toEqual(["issuers.json", "p33.pem"]);
  });

  it("is listed while the old one still signs", async () => {
    const { kid } = await newKey(place("p33"));
    let meanwhile: unknown;
    const { after } = await replaceKey(place("p33"), async () => {
      const signing = (await loadSigningKey(place("p33").privateFile)).kid;
      meanwhile = { signing, listed: Object.keys((await listed())["p33"] ?? {}) };
    });
    expect(meanwhile).toEqual({ signing: kid, listed: [kid, after.kid] });
  });

  it("goes on where it was interrupted", async () => {
    await newKey(place("p33"));
    const next = createKeyPair();
    await writeFile(join(dir, "p33.pem.next"), next.privateKey, { mode: 0o600 });
    expect((await replaceKey(place("p33"), atOnce)).after.kid).toBe(next.kid);
    expect(Object.keys((await listed())["p33"] ?? {})).toContain(next.kid);
  });

  it("must be there", async () => {
    await expect(replaceKey(place("p33"), atOnce)).rejects.toThrow(/p33\.pem does not exist$/);
  });
});

describe("a key that is retired", () => {
  it("is on the list no more, and others are", async () => {
    const { kid } = await newKey(place("p33"));
    const { after } = await replaceKey(place("p33"), atOnce);
    expect(await retireKey(place("p33"), kid)).toBe(1);
    expect(Object.keys((await listed())["p33"] ?? {})).toEqual([after.kid]);
  });

  it("is not the one that signs", async () => {
    const { kid } = await newKey(place("p33"));
    await expect(retireKey(place("p33"), kid)).rejects.toThrow(/replace it first$/);
    expect(Object.keys((await listed())["p33"] ?? {})).toEqual([kid]);
  });

  it("is one of the issuer's", async () => {
    const { kid } = await newKey(place("governor"));
    await newKey(place("p33"));
    await expect(retireKey(place("p33"), kid)).rejects.toThrow(`lists no key ${kid} of p33`);
  });

  it("may be the last one of an issuer whose private key is elsewhere", async () => {
    const { kid } = await newKey(place("p33"));
    await rename(place("p33").privateFile, join(dir, "elsewhere"));
    expect(await retireKey(place("p33"), kid)).toBe(0);
    expect(await listed()).toEqual({ p33: {} });
  });
});

it("changes no list through a link: whoever reads what it leads to would keep the old one", async () => {
  const { kid } = await newKey(place("governor"));
  const link = { ...place("governor"), publicFile: join(dir, "link.json") };
  await symlink(place("governor").publicFile, link.publicFile);
  await rename(link.privateFile, join(dir, "elsewhere.pem"));
  for (const change of [() => provideKey(link), () => retireKey(link, kid)])
    await expect(change()).rejects.toThrow(/link\.json is a symbolic link.*nothing was changed$/);
  expect((await listed())["governor"]).toHaveProperty(kid);
});

it("lets one writer at a time change the list", async () => {
  await newKey(place("p33"));
  await writeFile(join(dir, "issuers.json.new"), "");
  await expect(newKey(place("governor"))).rejects.toThrow(
    /issuers\.json\.new exists: another change is under way/,
  );
  await rm(join(dir, "issuers.json.new"));
  await provideKey(place("governor"));
  expect(Object.keys(await listed())).toEqual(["p33", "governor"]);
});
