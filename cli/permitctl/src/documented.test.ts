/** docs/permitctl.md has a row for every command. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { Output } from "@quantum/service-kit";
import type { Command } from "commander";
import { expect, it } from "vitest";
import { createProgram } from "./program.ts";

const nowhere = new Output(new Writable({ write: (_chunk, _encoding, done) => done() }));

/** All commands that can be run, such as `hold accept`. */
function pathsOf(command: Command, above: readonly string[] = []): string[] {
  return command.commands.flatMap((each) => {
    const path = [...above, each.name()];
    return each.commands.length > 0 ? pathsOf(each, path) : [path.join(" ")];
  });
}

it("lists every command", () => {
  const program = createProgram({
    env: {},
    stdin: Readable.from([]),
    stdout: nowhere,
    stderr: nowhere,
    stop: new AbortController().signal,
  });
  const text = readFileSync(join(import.meta.dirname, "../../../docs/permitctl.md"), "utf8");
  const rows = text.split("\n").filter((line) => line.startsWith("| `"));
  const paths = pathsOf(program);
  expect(paths).toContain("hold accept");
  expect(paths.filter((path) => !rows.some((row) => new RegExp(`\`${path}[ \`]`).test(row)))).toEqual([]);
});
