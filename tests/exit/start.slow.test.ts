/** The exit as a newcomer tries it: on a running `pnpm start`, whose operator and Redis `permitctl` finds by its file. */
import { execFile } from "node:child_process";
import { join } from "node:path";
import { expect, it } from "vitest";
import { expectSound, givenLauncher } from "../launch.ts";

const ROOT = join(import.meta.dirname, "../..");
const { launch, inFolder, facts } = givenLauncher();

it("flattens everything, and the run's invariants hold", async () => {
  const live = await launch("start", "--rate", "20");
  await live.line("[PERMIT_WAIT] OK");
  expect(await live.line("flatten --all")).toContain("run.json");
  await facts();
  const { code, output } = await new Promise<{ code: number; output: string }>((resolve) => {
    const words = ["--run", inFolder("run.json"), "flatten", "--all", "--yes", "--reason", "a first try"];
    execFile(
      process.execPath,
      ["scripts/permitctl.mjs", ...words],
      { cwd: ROOT, env: { PATH: process.env["PATH"], HOME: inFolder("home") } },
      (error, stdout, stderr) => resolve({ code: Number(error?.code ?? 0), output: stdout + stderr }),
    );
  });
  expectSound(code, output);
  live.child.kill("SIGINT");
  const ended = await live.ended;
  expectSound(ended.code, ended.lines.join("\n"));
});
