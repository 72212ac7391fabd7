import { expect, it } from "vitest";
import { turns } from "./turns.ts";

it("does a few at a time, lets a few wait in their order, and refuses the others", async () => {
  const inTurn = turns({ atOnceMax: 2, waitingMax: 3 }, "too many");
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const work = (no: number) => () => {
    begun.push(no);
    return new Promise<number>((resolve) => ends.push(() => resolve(no)));
  };
  const all = [0, 1, 2, 3, 4].map((no) => inTurn(work(no)));
  await expect(inTurn(work(5))).rejects.toMatchObject({ status: 429, retryAfterSec: 1 });
  expect(begun).toEqual([0, 1]);
  ends[1]?.();
  expect(await all[1]).toBe(1);
  expect(begun).toEqual([0, 1, 2]);
  // One that fails hands its turn on as well.
  const failing = turns({ atOnceMax: 1, waitingMax: 1 }, "too many");
  const failed = failing(() => Promise.reject(new Error("no")));
  const next = failing(async () => "done");
  await expect(failed).rejects.toThrow("no");
  expect(await next).toBe("done");
  for (const no of [0, 2, 3, 4]) {
    ends[no]?.();
    expect(await all[no]).toBe(no);
  }
  const again = inTurn(work(6));
  expect(begun).toEqual([0, 1, 2, 3, 4, 6]);
  ends[5]?.();
  expect(await again).toBe(6);
});
