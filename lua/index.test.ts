import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectForCommands, disconnect } from "@quantum/redis";
import { startRedisServer } from "@quantum/testkit";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadScript } from "./index.ts";

const SAMPLE = `-- Keeps a number.
--
-- KEYS
--   number       STRING
--   ...others    any number of keys that
--                are described in two lines
-- ARGV
--   value        decimal text
-- REPLY
--   STORED       value
--   REPLAYED
--@include shared/outer.lua
local number = KEYS[1]
-- KEYS
--   not_a_name   a comment of the body
redis.call('SET', number, outer(ARGV[1]))
return { 'STORED', redis.call('GET', number) }
`;

describe("the loader of scripts", () => {
  let folder: string;
  const write = (name: string, text: string) => writeFile(join(folder, `${name}.lua`), text);
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "quantum-lua-"));
    await write("sample", SAMPLE.replaceAll("shared/", ""));
    await write("outer", "--@include inner.lua\nlocal function outer(text) return inner(text) .. '!' end\n");
    await write("inner", "local function inner(text) return '<' .. text .. '>' end\n");
  });
  afterAll(() => rm(folder, { recursive: true }));

  it("reads names in the order of the header, and no further", () => {
    expect(loadScript("sample", folder)).toMatchObject({
      name: "sample",
      keys: ["number", "...others"],
      args: ["value"],
      replies: ["STORED", "REPLAYED"],
    });
  });

  it.each(["KEYS", "ARGV", "REPLY"])(
    "names the script and the section where %s is missing",
    async (section) => {
      await write("incomplete", SAMPLE.replaceAll("shared/", "").replaceAll(`-- ${section}\n`, ""));
      expect(() => loadScript("incomplete", folder)).toThrow(
        `lua/incomplete.lua: header section ${section} is missing`,
      );
    },
  );

  it("takes an empty section for no names", async () => {
    await write("empty", "-- KEYS\n-- ARGV\n-- REPLY\n--   OK\nreturn { 'OK' }\n");
    expect(loadScript("empty", folder)).toMatchObject({ keys: [], args: [], replies: ["OK"] });
  });

  it("fails for a script or an include that does not exist", async () => {
    await write("dangling", "-- KEYS\n-- ARGV\n-- REPLY\n--@include no_such.lua\n");
    expect(() => loadScript("no_such", folder)).toThrow("no_such.lua");
    expect(() => loadScript("dangling", folder)).toThrow("no_such.lua");
  });

  it("runs on Redis: includes in place, arity checked first, sha as Redis computes it", async () => {
    const { source, sha } = loadScript("sample", folder);
    const server = await startRedisServer();
    const redis = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
    try {
      expect(await redis.script("LOAD", source)).toBe(sha);
      expect(await redis.evalsha(sha, 1, "n", "1")).toEqual(["STORED", "<1>!"]);
      expect(await redis.evalsha(sha, 3, "n", "m", "o", "2")).toEqual(["STORED", "<2>!"]);
      await expect(redis.evalsha(sha, 0, "3")).rejects.toThrow("ARITY sample KEYS wants 1, got 0");
      await expect(redis.evalsha(sha, 1, "n")).rejects.toThrow("ARITY sample ARGV wants 1, got 0");
      await expect(redis.evalsha(sha, 1, "n", "3", "4")).rejects.toThrow("ARITY sample ARGV wants 1, got 2");
      expect(await redis.get("n")).toBe("<2>!");
    } finally {
      await disconnect(redis);
      await server.stop();
    }
  });
});
