import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { hashPassword, isPassword, whyNoPassword } from "./password.ts";
import { addUser, type ConsoleUser, readUsers, removeUser } from "./users-file.ts";

const PASSWORD = "correct horse battery";

let dir = "";
let file = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "quantum-users-"));
  file = join(dir, "users.json");
});
afterEach(() => rm(dir, { recursive: true }));

const ANN: ConsoleUser = { name: "ann", role: "operator" };
const VIC: ConsoleUser = { name: "vic", role: "viewer" };

describe("a password", () => {
  it("is known by its hash, which has another salt each time, and by no other password", async () => {
    const [hash, another] = await Promise.all([hashPassword(PASSWORD), hashPassword(PASSWORD)]);
    expect(hash).toMatchObject({ N: 2 ** 15, r: 8, p: 3 });
    expect([hash.salt, hash.hash]).not.toEqual([another.salt, another.hash]);
    expect(await isPassword(PASSWORD, hash)).toBe(true);
    expect(await isPassword(`${PASSWORD} `, hash)).toBe(false);
    expect(await isPassword("", hash)).toBe(false);
  });

  it("is the same however its letters are composed", async () => {
    expect(
      await isPassword("zwölf Boxkämpfer".normalize("NFD"), await hashPassword("zwölf Boxkämpfer")),
    ).toBe(true);
  });

  it("of nobody never fits", async () => {
    expect(await isPassword(PASSWORD, undefined)).toBe(false);
  });

  it("has 12 characters at least, and 256 at most", () => {
    expect(whyNoPassword("12345678901")).toContain("at least 12");
    expect(whyNoPassword("123456789012")).toBeUndefined();
    expect(whyNoPassword("x".repeat(257))).toContain("at most 256");
  });
});

describe("the file of users", () => {
  it("is made for its owner alone, and has who was added, changed and removed", async () => {
    expect(await readUsers(file)).toBeUndefined();
    expect(await addUser(file, ANN)).toBe("added");
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    expect(await addUser(file, VIC)).toBe("added");
    expect(await addUser(file, { ...VIC, role: "operator" })).toBe("changed");
    expect(await readUsers(file)).toEqual([ANN, { ...VIC, role: "operator" }]);
    expect(await removeUser(file, "ann")).toBe(true);
    expect(await removeUser(file, "ann")).toBe(false);
    expect(await readUsers(file)).toEqual([{ ...VIC, role: "operator" }]);
    expect(await readdir(dir)).toEqual(["users.json"]);
  });

  it("is changed by one at a time, whole", async () => {
    await writeFile(`${file}.new`, "");
    await expect(addUser(file, ANN)).rejects.toThrow(/another change is under way/);
    await rm(`${file}.new`);
    const names = Array.from({ length: 8 }, (_, no) => `user${no}`);
    const done = await Promise.allSettled(names.map((name) => addUser(file, { name, role: "viewer" })));
    const added = names.filter((_, no) => done[no]?.status === "fulfilled");
    expect(added.length).toBeGreaterThan(0);
    expect((await readUsers(file))?.map(({ name }) => name).toSorted()).toEqual(added);
  });

  it("is read through a link, and not changed through one: the link would be replaced, and not what it leads to", async () => {
    const link = join(dir, "link.json");
    await addUser(file, ANN);
    await symlink(file, link);
    expect(await readUsers(link)).toEqual([ANN]);
    for (const change of [() => addUser(link, VIC), () => removeUser(link, "ann")])
      await expect(change()).rejects.toThrow(/symbolic link.*nothing was changed/);
    expect(await readUsers(file)).toEqual([ANN]);
    expect((await readdir(dir)).toSorted()).toEqual(["link.json", "users.json"]);
  });

  it.each([0o644, 0o640, 0o604, 0o660])("is not believed with mode %o", async (mode) => {
    await addUser(file, ANN);
    await chmod(file, mode);
    await expect(readUsers(file)).rejects.toThrow(/it is for its owner alone: chmod 600/);
    await expect(addUser(file, VIC)).rejects.toThrow(/chmod 600/);
    expect((await readdir(dir)).toSorted()).toEqual(["users.json"]);
  });

  it.each([
    ["no JSON", "{", /is no JSON/],
    ["no list", "{}", /does not list users: users: /],
    ["a role that does not exist", '{"users": [{"name": "ann", "role": "root"}]}', /users\.0\.role: /],
    [
      "a field that means nothing",
      '{"users": [{"name": "ann", "role": "viewer", "pasword": {}}]}',
      /pasword/,
    ],
    ["a user without a name", '{"users": [{"name": "", "role": "viewer"}]}', /users\.0\.name: letters/],
    ["a user twice", JSON.stringify({ users: [ANN, ANN] }), /names a user twice: ann/],
    [
      "a password that costs nothing to guess",
      JSON.stringify({ users: [{ ...ANN, password: { N: 2, r: 1, p: 1, salt: "AAAA", hash: "AAAA" } }] }),
      /users\.0\.password\.N: .*password\.salt: .*password\.hash: /,
    ],
    [
      "a password that this process cannot compute",
      JSON.stringify({
        users: [{ ...ANN, password: { N: 2 ** 30, r: 8, p: 1, salt: "A".repeat(24), hash: "A".repeat(44) } }],
      }),
      /users\.0\.password\.N: /,
    ],
  ])("is not believed with %s", async (_, text, why) => {
    await writeFile(file, text, { mode: 0o600 });
    await expect(readUsers(file)).rejects.toThrow(why);
    await expect(addUser(file, VIC)).rejects.toThrow(why);
    expect(await readFile(file, "utf8")).toBe(text);
  });

  it("takes no user whose name is none", async () => {
    for (const name of ["", "-ann", "a b", "ann\n", "../ann", "x".repeat(65)])
      await expect(addUser(file, { name, role: "viewer" })).rejects.toThrow(/takes no such user/);
    await addUser(file, { name: "Pat+console@example.com", role: "viewer" });
  });
});
