export * from "./issuers.ts";
export * from "./keys.ts";
export * from "./meanings.ts";
export * from "./messages.ts";
export * from "./plan-id.ts";
export * from "./proposal.ts";
export * from "./python.ts";
export * from "./reasons.ts";
