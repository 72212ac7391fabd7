import { describe, expect, it, vi } from "vitest";
import { every } from "./every.ts";

const PAUSE_MS = 60_000;

describe("every", () => {
  it("goes on after a failure, and says it", async () => {
    const said: string[] = [];
    const task = vi.fn(async () => undefined).mockRejectedValueOnce(new Error("away"));
    const running = every(1, task, (error) => said.push(error.message));
    await vi.waitFor(() => expect(task.mock.calls.length).toBeGreaterThan(2));
    await running.stop();
    expect(said).toEqual(["away"]);
  });

  it("stops at once between two runs, and lets a running one end", async () => {
    const release = Promise.withResolvers<void>();
    let ended = false;
    const task = async () => {
      await release.promise;
      ended = true;
    };
    const stopped = every(PAUSE_MS, task, () => undefined).stop();
    release.resolve();
    await stopped;
    expect(ended).toBe(true);
  });
});
