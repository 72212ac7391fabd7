/** `pnpm compose` as people call it, on a docker that only says what it was asked. */
import { execFile } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { freePort } from "@quantum/harness";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const ROOT = join(import.meta.dirname, "../..");
const run = promisify(execFile);

let dir = "";
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), "quantum-compose-"));
  // `up` fails, and no container has a port.
  const docker = `#!/bin/sh
echo "$@ COMMIT=$COMMIT" >>"$ASKED"
case "$2" in
up) echo "port is already allocated" >&2; exit 17;;
esac
`;
  await writeFile(join(dir, "docker"), docker);
  await chmod(join(dir, "docker"), 0o755);
});
afterAll(() => rm(dir, { recursive: true }));

interface Called {
  code: number;
  stderr: string;
  asked: string[];
}

async function compose(environment: Record<string, string>, ...args: string[]): Promise<Called> {
  const asked = join(dir, "asked");
  await rm(asked, { force: true });
  const env = { PATH: `${dir}:${process.env["PATH"]}`, ASKED: asked, ...environment };
  const called = await run(process.execPath, [join(ROOT, "scripts/compose.mjs"), ...args], { env }).then(
    ({ stderr }) => ({ code: 0, stderr }),
    ({ code, stderr }: { code: number; stderr: string }) => ({ code, stderr }),
  );
  return { ...called, asked: (await readFile(asked, "utf8")).trim().split("\n") };
}

describe("pnpm compose", () => {
  it("is docker compose, and says of which commit images are made", async () => {
    const { stdout: commit } = await run("git", ["rev-parse", "--short=12", "HEAD"], { cwd: ROOT });
    const { code, stderr, asked } = await compose({}, "ps", "--", "governor");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    expect(asked.at(-1)).toBe(`compose ps -- governor COMMIT=${commit.trim()}`);
    expect((await compose({ COMMIT: "mine" }, "ps")).asked.at(-1)).toBe("compose ps COMMIT=mine");
  });

  it("names the variable of a port that another program has, when compose has failed", async () => {
    const other = createServer();
    await once(other.listen(0, "127.0.0.1"), "listening");
    const { port } = other.address() as { port: number };
    const free = await freePort();
    const { code, stderr } = await compose({ PORT_GOVERNOR: `${port}`, PORT_EXECUTOR: `${free}` }, "up");
    expect(code).toBe(17);
    expect(stderr).toMatch(new RegExp(`^PORT_GOVERNOR=${port}: governor cannot have this port`, "m"));
    expect(stderr).not.toContain("PORT_EXECUTOR");
    const closed = once(other, "close");
    other.close();
    await closed;
  });
});
