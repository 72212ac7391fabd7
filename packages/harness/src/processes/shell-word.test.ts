import { execFileSync } from "node:child_process";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { shellWord } from "./shell-word.ts";

it("is taken by a shell for the text that it was made from", () => {
  const words = fc.sample(
    fc.string().map((text) => text.replaceAll("\0", "")),
    200,
  );
  const line = `printf '%s\\0' ${words.map(shellWord).join(" ")}`;
  const taken = execFileSync("sh", ["-c", line], { encoding: "utf8" }).split("\0").slice(0, -1);
  expect(taken).toEqual(words);
  expect(shellWord("/usr/bin/redis-cli")).toBe("/usr/bin/redis-cli");
});
