/** The toy's row: what a real issuer would add to packages/topology. */
import type { IssuerService } from "@quantum/topology";

export const TOY: IssuerService = {
  name: "toy",
  unit: "toy",
  title: "toy: permits three plans of four",
  port: 8097,
  portVariable: "TOY_METRICS_PORT",
  envPrefixes: ["TOY_"],
  symbolVariables: ["SYMBOLS"],
  group: "toy",
  reads: ["plan", "result"],
  issuer: {
    name: "toy",
    verdictField: "allow",
    permitKey: "permit:toy",
    ttlLabel: "toy_ttl",
    carriesQuantity: false,
    required: false,
  },
  needsVenue: false,
  redis: "any",
  replicated: true,
  demonstration: {},
};
