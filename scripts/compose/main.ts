/**
 * `pnpm compose ARGS`: docker compose with what it cannot know. It tells the images which commit they are made from, and
 * after a failure names the variable of each port that something else on this machine has: Docker names the port alone.
 */
import { execFile, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseEnv, promisify } from "node:util";
import { isFree } from "@quantum/harness";
import { portProblem, publishedPorts } from "./ports.ts";

const ROOT = join(import.meta.dirname, "../..");
const run = promisify(execFile);

/** The digits of a commit that `/healthz` shows. */
const COMMIT_DIGITS = 12;

/** Commands that may fail because of a port. */
const STARTS: ReadonlySet<string> = new Set(["up", "start", "restart", "run"]);

const [program, ...words] = await composeCommand();
// pnpm hands over the `--` that npm users write between its arguments and ours.
const args = process.argv.slice(2).filter((argument, index) => argument !== "--" || index > 0);
const child = spawn(program, [...words, ...args], {
  cwd: ROOT,
  stdio: "inherit",
  env: { COMMIT: commit(), ...process.env },
});
// The terminal sends Ctrl-C to compose, too, which may need its time; a second one from here would hurry it.
process.on("SIGINT", () => undefined);
process.on("SIGTERM", () => child.kill("SIGTERM"));
const [code] = (await once(child, "close")) as [number | null];
if (code !== 0 && args.some((argument) => STARTS.has(argument)))
  for (const line of await portProblems()) console.error(line);
process.exitCode = code ?? 1;

/** Compose v2 is a part of docker; before, it was a program of its own. */
async function composeCommand(): Promise<[string, ...string[]]> {
  try {
    await run("docker", ["compose", "version"]);
    return ["docker", "compose"];
  } catch {
    return ["docker-compose"];
  }
}

function commit(): string {
  try {
    const name = execFileSync("git", ["rev-parse", `--short=${COMMIT_DIGITS}`, "HEAD"], {
      cwd: ROOT,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    });
    return name.trim();
  } catch {
    return "";
  }
}

async function portProblems(): Promise<string[]> {
  const settings = existsSync(join(ROOT, ".env")) ? parseEnv(readFileSync(join(ROOT, ".env"), "utf8")) : {};
  const file = readFileSync(join(ROOT, "docker-compose.yml"), "utf8");
  const problems = publishedPorts(file, { ...settings, ...process.env }).map(async (published) => {
    const { ports, service, containerPort } = published;
    const free = await Promise.all(ports.map(isFree));
    if (free.includes(true)) return undefined;
    const [containers, holds] = await Promise.all([
      said("ps", "-q", service),
      said("port", service, String(containerPort)),
    ]);
    return portProblem(published, {
      isOurs: holds !== "",
      containers: containers === "" ? 0 : containers.split("\n").length,
    });
  });
  return (await Promise.all(problems)).filter((problem) => problem !== undefined);
}

/** What a command of compose prints; "" if it fails. */
async function said(...command: string[]): Promise<string> {
  try {
    return (await run(program, [...words, ...command], { cwd: ROOT })).stdout.trim();
  } catch {
    return "";
  }
}
