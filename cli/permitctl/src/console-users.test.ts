/** `console user`: a file and no Redis; nothing answers at the URL that the commands get. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable, Writable } from "node:stream";
import { isPassword, readUsers } from "@quantum/operator";
import { shellWord } from "@quantum/harness";
import { Output } from "@quantum/service-kit";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { run } from "./run.ts";

const ROOT = join(import.meta.dirname, "../../..");
const PASSWORD = "correct horse battery";

let dir = "";
let file = "";
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "quantum-users-"));
  file = join(dir, "users.json");
});
afterEach(() => rm(dir, { recursive: true }));

async function user(
  args: readonly string[],
  stdin = "",
  env: Record<string, string> = { CONSOLE_USERS_FILE: file },
) {
  const answer = { stdout: "", stderr: "" };
  const into = (stream: keyof typeof answer) =>
    new Output(
      new Writable({
        write(chunk, _encoding, done) {
          answer[stream] += String(chunk);
          done();
        },
      }),
    );
  const code = await run(["console", "user", ...args], {
    env: { REDIS_URL: "redis://127.0.0.1:1", ...env },
    stdin: Readable.from([stdin]),
    stdout: into("stdout"),
    stderr: into("stderr"),
    stop: new AbortController().signal,
  });
  return { code, ...answer };
}

const passwordOf = async (name: string) =>
  (await readUsers(file))?.find((user) => user.name === name)?.password;

describe("console user", () => {
  it("makes, lists, changes and removes users, and never shows a password", async () => {
    const added = await user(["add", "ann", "--role", "operator"], `${PASSWORD}\n`);
    expect(added).toMatchObject({
      code: 0,
      stderr: "",
      stdout: expect.stringContaining("ann is a user of the console"),
    });
    expect(await isPassword(PASSWORD, await passwordOf("ann"))).toBe(true);
    expect((await user(["add", "pat@example.com", "--role", "viewer", "--no-password"])).code).toBe(0);
    expect((await user(["list"])).stdout.split("\n").slice(1, 3)).toEqual([
      expect.stringMatching(/^ *ann +operator +by password$/),
      expect.stringMatching(/^ *pat@example\.com +viewer +by proxy alone$/),
    ]);
    const changed = await user(["add", "ann", "--role", "viewer"], `${PASSWORD} 2`);
    expect(changed.stdout).toContain("the sessions with the old one end");
    expect(await isPassword(`${PASSWORD} 2`, await passwordOf("ann"))).toBe(true);
    expect((await user(["remove", "ann"])).code).toBe(0);
    expect((await user(["remove", "ann"])).code).toBe(1);
    expect((await readUsers(file))?.map(({ name }) => name)).toEqual(["pat@example.com"]);
    for (const { stdout, stderr } of [added, changed]) expect(stdout + stderr).not.toContain(PASSWORD);
    expect(await readFile(file, "utf8")).not.toContain("correct");
  });

  it.each([
    ["without a role", ["add", "ann"], PASSWORD, 2],
    ["with a role that does not exist", ["add", "ann", "--role", "admin"], PASSWORD, 2],
    ["with a short password", ["add", "ann", "--role", "viewer"], "12345678901\n", 2],
    ["without a password", ["add", "ann", "--role", "viewer"], "", 2],
    ["with a name that is none", ["add", "a b", "--role", "viewer"], PASSWORD, 2],
  ])("makes no user %s", async (_, args, stdin, code) => {
    expect(await user(args, stdin)).toMatchObject({ code, stdout: "" });
    expect(await readUsers(file)).toBeUndefined();
  });

  it("needs to be told the file, and says where there are no users", async () => {
    expect(await user(["list"], "", {})).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("CONSOLE_USERS_FILE"),
    });
    expect(await user(["list", "--file", file], "", {})).toMatchObject({
      code: 1,
      stdout: `${file} has no users.\n`,
    });
  });
});

describe("on a terminal", () => {
  /** Each answer when its question is shown. */
  async function onTerminal(answers: [question: string, answer: string][]) {
    const command = [
      process.execPath,
      "scripts/permitctl.mjs",
      "console",
      "user",
      "add",
      "ann",
      "--role",
      "operator",
    ];
    const child = spawn("script", ["-qec", command.map(shellWord).join(" "), "/dev/null"], {
      cwd: ROOT,
      env: { PATH: process.env["PATH"], CONSOLE_USERS_FILE: file, TERM: "xterm" },
      stdio: ["pipe", "pipe", "inherit"],
    });
    let shown = "";
    child.stdout.on("data", (chunk) => {
      shown += String(chunk);
      const [question, answer] = answers[0] ?? [];
      if (question === undefined || !shown.includes(question)) return;
      answers.shift();
      child.stdin.write(answer);
    });
    const [code] = await once(child, "close");
    return { code: code as number, shown };
  }

  it("the password is asked for twice, and not shown", async () => {
    const { code, shown } = await onTerminal([
      ["Password: ", `${PASSWORD}\r`],
      ["again: ", `${PASSWORD}\r`],
    ]);
    expect({ code, shown }).toMatchObject({
      code: 0,
      shown: expect.stringContaining("ann is a user of the console"),
    });
    expect(shown).not.toContain("horse");
    expect(await isPassword(PASSWORD, await passwordOf("ann"))).toBe(true);
  });

  it("an interrupt makes no user", async () => {
    const { code, shown } = await onTerminal([["Password: ", "\x03"]]);
    expect({ code, shown }).toMatchObject({
      code: 1,
      shown: expect.stringContaining("interrupted; nothing"),
    });
    expect(await readUsers(file)).toBeUndefined();
  });

  it("two that differ make no user", async () => {
    const { code, shown } = await onTerminal([
      ["Password: ", `${PASSWORD}\r`],
      ["again: ", `${PASSWORD}!\r`],
    ]);
    expect({ code, shown }).toMatchObject({ code: 2, shown: expect.stringContaining("the two differ") });
    expect(await readUsers(file)).toBeUndefined();
  });
});
