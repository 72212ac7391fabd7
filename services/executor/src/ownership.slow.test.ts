import { describe, expect, it, vi } from "vitest";
import { executor, until, useRedis } from "./ownership.fixture.ts";

useRedis();

describe("without Redis", () => {
  it("an owner reads no more after a lease, and says so; it goes on when Redis is back", async () => {
    const { gate, said, progress, redis: own } = await executor("a");
    const refused = vi.spyOn(own, "evalsha").mockRejectedValue(new Error("Command timed out"));
    await until(() => expect(gate.isOpen).toBe(false));
    expect(said).toEqual(["owned", "disowned"]);
    await until(() =>
      expect(progress.problems()).toEqual([
        expect.stringMatching(/^every attempt to ask who owns the orders has failed for \d+ s: Command/),
      ]),
    );
    refused.mockRestore();
    await until(() => expect(gate.isOpen).toBe(true));
    expect(progress.problems()).toEqual([]);
  });
});
