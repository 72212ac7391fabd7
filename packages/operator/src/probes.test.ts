/** Which services are here, by their names. */
import { hostname } from "node:os";
import { describe, expect, it } from "vitest";
import { httpOf, isHere } from "./probes.ts";

describe("an instance", () => {
  it.each([
    [`governor@${hostname()}:8044`, true, true],
    ["governor@127.0.0.1:8044", true, true],
    // At a port that the system has chosen, which its name does not tell.
    [`governor@${hostname()}:pid4711`, true, false],
    ["governor@elsewhere:8044", false, false],
    ["governor@elsewhere:pid4711", false, false],
    ["governor", false, false],
  ])("%s is here: %s, and is asked at its port: %s", (instance, here, asked) => {
    expect(isHere(instance)).toBe(here);
    expect(httpOf(instance) !== undefined).toBe(asked);
  });
});
