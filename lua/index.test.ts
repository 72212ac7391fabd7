import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectForCommands, disconnect } from "@quantum/redis";
import { startRedisServer } from "@quantum/harness";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Call, loadScript, packCalls } from "./index.ts";

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
redis.call('GETSET', number, outer(ARGV[1]))
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

  it("refuses to check a type that no command tells", async () => {
    await write("untold", SAMPLE.replaceAll("shared/", "").replace("STRING", "STRING!"));
    expect(() => loadScript("untold", folder)).toThrow("no command tells whether number is a STRING");
  });

  it("takes an empty section for no names", async () => {
    await write("empty", "-- KEYS\n-- ARGV\n-- REPLY\n--   OK\nreturn { 'OK' }\n");
    expect(loadScript("empty", folder)).toMatchObject({ keys: [], args: [], replies: ["OK"] });
  });

  it("leaves out what a script does not reach, and keeps the rest in its order", async () => {
    const part = `-- A part: spare is only named in this comment.
local LEFT, RIGHT = '<', '>'
-- And in this one: spare.
local spare = {
  'of several lines',
}
local function framed(text)
  return LEFT .. text .. RIGHT
end
local function spare_too() return framed('') end
`;
    await write("framed", part);
    await write(
      "framing",
      "-- KEYS\n-- ARGV\n--   text\n-- REPLY\n--@include framed.lua\nreturn { framed(ARGV[1]) }\n",
    );
    const { lone, batch } = loadScript("framing", folder);
    for (const { source } of [lone, batch]) {
      expect(source.indexOf("local LEFT, RIGHT = '<', '>'\nlocal function framed(text)\n")).toBe(0);
      expect(source).not.toMatch(/spare|expect/);
    }
  });

  it("fails for a script or an include that does not exist", async () => {
    await write("dangling", "-- KEYS\n-- ARGV\n-- REPLY\n--@include no_such.lua\n");
    expect(() => loadScript("no_such", folder)).toThrow("no_such.lua");
    expect(() => loadScript("dangling", folder)).toThrow("no_such.lua");
  });

  it("runs on Redis, for any number of calls: includes known, arity checked first, sha as Redis computes it", async () => {
    const { lone, batch } = loadScript("sample", folder);
    const server = await startRedisServer();
    const redis = connectForCommands({ url: server.url, name: "test", onError: () => undefined });
    const run = async (...calls: Call[]) => {
      const { keys, args } = packCalls(calls);
      return (await redis.evalsha(batch.sha, keys.length, ...keys, ...args)) as unknown[];
    };
    const runLone = ({ keys, args }: Call) => redis.evalsha(lone.sha, keys.length, ...keys, ...args);
    const arity = (what: string) => expect.objectContaining({ message: `ARITY sample ${what}` });
    try {
      for (const { source, sha } of [lone, batch]) expect(await redis.script("LOAD", source)).toBe(sha);
      expect(await runLone({ keys: ["n", "m"], args: ["0"] })).toEqual(["STORED", "<0>!"]);
      await expect(runLone({ keys: [], args: ["3"] })).rejects.toThrow("ARITY sample KEYS wants 1, got 0");
      expect(await run()).toEqual([]);
      expect(await run({ keys: ["n"], args: ["1"] })).toEqual([["STORED", "<1>!"]]);
      expect(await run({ keys: ["n", "m", "o"], args: ["2"] })).toEqual([["STORED", "<2>!"]]);
      expect(await run({ keys: [], args: ["3"] })).toEqual([arity("KEYS wants 1, got 0")]);
      expect(await run({ keys: ["n"], args: [] })).toEqual([arity("ARGV wants 1, got 0")]);
      expect(await run({ keys: ["n"], args: ["3", "4"] })).toEqual([arity("ARGV wants 1, got 2")]);
      expect(await redis.get("n")).toBe("<2>!");

      // Many at once: each its own keys, arguments and reply, and an error keeps nobody else from being made.
      await redis.lpush("list", "not a string");
      const tooMany = { keys: ["n"], args: Array.from({ length: 9_000 }, String) };
      const replies = await run(
        { keys: ["a", "more"], args: ["1"] },
        tooMany,
        { keys: ["n"], args: [] },
        { keys: ["list"], args: ["3"] },
        { keys: ["b"], args: ["2"] },
      );
      const wrongType = expect.objectContaining({ message: expect.stringContaining("WRONGTYPE") });
      expect(replies).toEqual([
        ["STORED", "<1>!"],
        expect.objectContaining({ message: expect.stringContaining("too many results to unpack") }),
        arity("ARGV wants 1, got 0"),
        wrongType,
        ["STORED", "<2>!"],
      ]);
    } finally {
      await disconnect(redis);
      await server.stop();
    }
  });
});
