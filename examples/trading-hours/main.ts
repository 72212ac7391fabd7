/** An issuer that permits closes only from HOURS_FROM to HOURS_TO, UTC. docs/issuers.md explains it. */
import { deny, grant, issuerConfig, runIssuer } from "@quantum/issuer";
import { redisNow } from "@quantum/redis";
import { integer } from "@quantum/service-kit";
import { z } from "zod";
import { TRADING_HOURS } from "./row.ts";

const common = issuerConfig(TRADING_HOURS);
const own = {
  HOURS_FROM: integer("the first hour in which closes are permitted, UTC", 7, { max: 23 }),
  HOURS_TO: integer(
    "the hour in which that ends, UTC; a smaller one than HOURS_FROM is of the next day",
    21,
    {
      max: 24,
    },
  ),
};
const isOpen = (hour: number, from: number, to: number) =>
  from <= to ? from <= hour && hour < to : from <= hour || hour < to;

await runIssuer({
  service: TRADING_HOURS,
  summary: "permits closes only within hours of the day",
  ...common,
  schema: z.object({ ...common.schema.shape, ...own }),
  start: ({ config: { HOURS_FROM: from, HOURS_TO: to }, partitions }) => ({
    policy: {
      decide: ({ symbol }) => {
        const hour = new Date(redisNow(partitions.of(symbol).redis)).getUTCHours();
        return isOpen(hour, from, to) ? grant("within_hours") : deny("outside_hours", { hour });
      },
    },
    reasons: ["outside_hours"],
  }),
});
