/** The row that this issuer would have in packages/topology/src/services.ts. */
import type { IssuerService } from "@quantum/topology";

export const TRADING_HOURS: IssuerService = {
  name: "trading-hours",
  unit: "trading-hours",
  title: "trading hours: permits closes only within hours of the day",
  port: 8096,
  portVariable: "HOURS_METRICS_PORT",
  envPrefixes: ["HOURS_"],
  symbolVariables: ["SYMBOLS"],
  group: "hours",
  reads: ["plan", "result"],
  issuer: {
    name: "hours",
    verdictField: "allow",
    permitKey: "permit:hours",
    ttlLabel: "hours_ttl",
    carriesQuantity: false,
    required: false,
  },
  needsVenue: false,
  redis: "any",
  replicated: true,
  demonstration: {},
};
