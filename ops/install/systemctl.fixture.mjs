#!/usr/bin/env node
// Stands in for systemctl where no systemd runs: starts and ends the one process of each unit below FIXTURE_ROOT, and
// notes every call in FIXTURE_ROOT/systemctl.log.
import { spawn } from "node:child_process";
import { appendFileSync, existsSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const root = process.env["FIXTURE_ROOT"] ?? "";
const [command, ...rest] = process.argv.slice(2);
const unit = rest.at(-1) ?? "";
const pidFile = join(root, `${unit}.pid`);
appendFileSync(join(root, "systemctl.log"), `${[command, ...rest].join(" ")}\n`);

const pid = () => (existsSync(pidFile) ? Number(readFileSync(pidFile, "utf8")) : 0);
/** A killed one stays a zombie until its adopter looks; that is no process. */
const isAlive = () =>
  pid() > 0 &&
  existsSync(`/proc/${pid()}/stat`) &&
  !/\) Z /.test(readFileSync(`/proc/${pid()}/stat`, "utf8"));

async function end() {
  if (isAlive()) process.kill(pid());
  while (isAlive()) await new Promise(setImmediate);
  rmSync(pidFile, { force: true });
}

if (command === "restart") {
  await end();
  const text = readFileSync(join(root, "etc/systemd/system", unit), "utf8");
  /** @type {(name: string) => string} */
  const setting = (name) => new RegExp(`^${name}=(.*)$`, "m").exec(text)?.[1] ?? "";
  const [executable = "", ...args] = setting("ExecStart").split(" ");
  const lines = readFileSync(join(root, setting("EnvironmentFile")), "utf8").split("\n");
  const child = spawn(join(root, executable), args, {
    cwd: realpathSync(join(root, setting("WorkingDirectory"))),
    env: Object.fromEntries(
      lines.filter((line) => /^[A-Z]/.test(line)).map((line) => /^([^=]*)=(.*)$/.exec(line)?.slice(1) ?? []),
    ),
    detached: true,
    stdio: "ignore",
  });
  child.unref();
  writeFileSync(pidFile, String(child.pid));
} else if (command === "disable") {
  await end();
} else if (command === "is-active") {
  console.log(isAlive() ? "active" : "failed");
} else if (command === "show") {
  console.log(isAlive() ? pid() : 0);
}
