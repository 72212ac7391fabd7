import { afterEach, expect, it, onTestFinished, vi } from "vitest";
import { Guides } from "./guides.ts";
import { finderOf } from "./master-finder.ts";
import type { Claim } from "./masters.ts";
import { parseRedisUrl } from "./url.ts";

afterEach(() => vi.restoreAllMocks());

const URL = "redis+sentinel://127.0.0.1:1/quantum";

function finderAt(url: string) {
  const parsed = parseRedisUrl(url);
  if (parsed.kind === "server") throw new Error("a server needs no finder");
  return finderOf(parsed);
}

const claim = (port: number, epoch: number): Claim => ({
  from: 0,
  to: 16_383,
  address: { host: "h", port },
  epoch,
});

/** Follows port 1, known by epoch 5, until each of these answers was heard. */
async function heard(answers: (Claim[] | Error)[]) {
  const ask = vi.spyOn(Guides.prototype, "ask").mockRejectedValue(new Error("silent"));
  for (const answer of answers) {
    if (answer instanceof Error) ask.mockRejectedValueOnce(answer);
    else ask.mockResolvedValueOnce(answer);
  }
  const moveTo = vi.fn<(claim: Claim) => void>();
  const follower = { slot: 7, claim: claim(1, 5) as Claim | undefined, moveTo };
  const finder = finderAt(URL);
  finder.add(follower);
  onTestFinished(() => finder.remove(follower));
  await vi.waitFor(() => expect(ask.mock.calls.length).toBeGreaterThan(answers.length), 10_000);
  return { moves: moveTo.mock.calls.map(([{ address }]) => address.port), claim: follower.claim };
}

it.each<[string, (Claim[] | Error)[], number[], Claim]>([
  ["by a newer claim of another server", [[claim(2, 6)]], [2], claim(1, 5)],
  [
    "by no claim that is as old or older, as of a Sentinel that is cut off",
    [[claim(2, 5)], [claim(2, 4)]],
    [],
    claim(1, 5),
  ],
  ["by no silence", [new Error("silent"), []], [], claim(1, 5)],
  [
    "by nothing that is older than what it has learnt of its own master",
    [[claim(1, 7)], [claim(2, 6)]],
    [],
    claim(1, 7),
  ],
  ["by the newest of several answers", [[claim(1, 5), claim(3, 7), claim(2, 6)]], [3], claim(1, 5)],
])("a connection is moved %s", async (_, answers, moves, known) => {
  expect(await heard(answers)).toEqual({ moves, claim: known });
});

it("is one for the same Sentinels and master, whatever the database", () => {
  expect(finderAt(`${URL}/3`)).toBe(finderAt(URL));
  expect(finderAt("redis+sentinel://127.0.0.1:1/other")).not.toBe(finderAt(URL));
  expect(finderAt("redis+sentinel://user@127.0.0.1:1/quantum")).not.toBe(finderAt(URL));
});
