import { expect, it } from "vitest";
import { untilAnswered } from "./answered.ts";

/** Fails with each of these, and then answers how often it was asked. */
function failing(...errors: readonly Error[]) {
  let asked = 0;
  return () => {
    const error = errors[asked];
    asked += 1;
    return error === undefined ? Promise.resolve(asked) : Promise.reject(error);
  };
}
const reply = (message: string) => Object.assign(new Error(message), { name: "ReplyError" });

it("asks again while a master is away or replaced", async () => {
  const errors = [
    new Error("Command timed out"),
    reply("CLUSTERDOWN Hash slot not served"),
    reply("READONLY no"),
  ];
  expect(await untilAnswered(failing(...errors))).toBe(4);
});

it("does not ask again after the deadline, and tells the error", async () => {
  const ask = failing(new Error("Command timed out"), new Error("Connection is closed."));
  await expect(untilAnswered(ask, -1)).rejects.toThrow("Command timed out");
  expect(await ask().catch(String)).toBe("Error: Connection is closed.");
});

it("asks no second time after an error about the command", async () => {
  const ask = failing(reply("WRONGTYPE Operation against a key holding the wrong kind of value"));
  await expect(untilAnswered(ask)).rejects.toThrow("WRONGTYPE");
  expect(await ask()).toBe(2);
});
