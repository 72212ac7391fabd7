import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { findRedisServer } from "./redis-binary.ts";

const run = promisify(execFile);

describe("findRedisServer", () => {
  it("finds a server that starts, and its client", async () => {
    const { path, cli, version } = await findRedisServer();
    expect((await run(path, ["--version"])).stdout).toContain(version);
    expect((await run(cli ?? "", ["--version"])).stdout).toContain("cli");
  });
});
