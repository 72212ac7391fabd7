import { expect, it } from "vitest";
import { lookFor } from "./look-for.ts";

const PATIENCE_MS = 10_000;
const reply = (message: string) => Object.assign(new Error(message), { name: "ReplyError" });
/** Each look's outcome in turn; the last one stays. */
function looks(...outcomes: (string | undefined | Error)[]): () => Promise<string | undefined> {
  return async () => {
    const next = outcomes.length > 1 ? outcomes.shift() : outcomes[0];
    if (next instanceof Error) throw next;
    return next;
  };
}

it("finds what comes, also if Redis was away or loading meanwhile", async () => {
  const away = [new Error("Connection is closed."), reply("LOADING Redis is loading"), undefined];
  expect(await lookFor(looks(...away, "there"), PATIENCE_MS)).toEqual({ kind: "found", found: "there" });
});

it("says that it is not there, or that nobody knows", async () => {
  expect(await lookFor(looks(undefined), 0)).toEqual({ kind: "not there" });
  const problem = reply("LOADING Redis is loading");
  expect(await lookFor(looks(problem), 0)).toEqual({ kind: "not known", problem });
});

it("throws what does not pass", async () => {
  for (const problem of [reply("NOPERM no"), reply("WRONGTYPE no")])
    await expect(lookFor(looks(problem, "there"), PATIENCE_MS)).rejects.toThrow(problem.message);
});
