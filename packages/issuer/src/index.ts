export { type IssuerConfig, issuerConfig, simulationViolations } from "./config.ts";
export { IssuerHandlers, type HandlersOptions, type IssuerEvents } from "./handlers.ts";
export {
  deny,
  type Decision,
  grant,
  type Policy,
  type ReadResult,
  type Settlement,
  type Turn,
} from "./policy.ts";
export { type IssuerDefinition, type IssuerWork, PERMIT_TTL_SEC, runIssuer } from "./run-issuer.ts";
export { type AnswerLines, observeAnswers, observeIssuer } from "./telemetry.ts";
