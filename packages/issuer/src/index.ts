export { issuerConfig, permitTtlViolations, signingVariables, venueViolations } from "./config.ts";
export { type HandlersOptions, type IssuerEvents, IssuerHandlers } from "./handlers.ts";
export {
  deny,
  type Decision,
  grant,
  type Policy,
  type ReadResult,
  type Settlement,
  type Turn,
} from "./policy.ts";
export { runIssuer } from "./run-issuer.ts";
export { createPermitSigner, type PermitSignerOptions, type SignPermit } from "./sign.ts";
export { observeAnswers, observeIssuer } from "./telemetry.ts";
