/** examples/trading-hours, by public seams alone, beside the real issuers. */
import { join } from "node:path";
import { startProgram } from "@quantum/harness";
import { demonstrationOf } from "@quantum/topology";
import { expect, it } from "vitest";
import { TRADING_HOURS } from "../examples/trading-hours/row.ts";
import { ALL_VALID, runWithExample } from "./example-run.ts";

const PLANS = 20;
const MAIN = join(import.meta.dirname, "../examples/trading-hours/main.ts");

it("trading hours that never end permit every plan, and the executor verifies what they sign", async () => {
  const { signatures } = await runWithExample({
    issuer: "hours",
    plans: PLANS,
    start: async (place) => {
      const env = { ...demonstrationOf(TRADING_HOURS, place), HOURS_METRICS_PORT: "0" };
      const hours = await startProgram("trading-hours", MAIN, { ...env, HOURS_FROM: "0", HOURS_TO: "24" });
      return () => hours.stop();
    },
  });
  expect(signatures).toEqual(signatures.map(() => ALL_VALID));
});
