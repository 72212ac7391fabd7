/** Vitest setup: fails a test file that leaves a process running, and ends the process. */
import { afterAll } from "vitest";
import { killRunningProcesses, runningProcesses } from "../processes/child-process.ts";

afterAll(async () => {
  const left = runningProcesses();
  await killRunningProcesses();
  if (left.length > 0) throw new Error(`processes left running by this test file:\n${left.join("\n")}`);
});
