export { type Place, demonstrationOf, type Environment, SIMULATED_ACCOUNT } from "./demonstration.ts";
export {
  GROUPS,
  groupsOf,
  HOSTED,
  ISSUERS,
  issuerOf,
  PIPELINE,
  pipelineOf,
  PLAN_PATH,
  QUANTITY_ISSUER,
  userOf,
} from "./derived.ts";
export {
  keyVariablesOf,
  OPERATOR_KEYS_FILE,
  operatorKeyFile,
  privateKeyFile,
  PUBLIC_KEYS_FILE,
  signingKeyVariable,
} from "./keys.ts";
export type { IssuerRow, IssuerService, Row, StreamName } from "./row.ts";
export {
  type HostedName,
  type IssuerName,
  type PipelineName,
  type Service,
  type ServiceName,
  serviceOf,
  SERVICES,
} from "./services.ts";
