/** All kinds of faults. */
import type { FaultKind } from "./fault-kind.ts";
import { ACCOUNT_EVENT_FAULTS } from "./faults-account-events.ts";
import { CLUSTER_FAULTS } from "./faults-cluster.ts";
import { EXCHANGE_FAULTS } from "./faults-exchange.ts";
import { FAILOVER_FAULTS } from "./faults-failover.ts";
import { OPERATOR_FAULTS } from "./faults-operator.ts";
import { PROCESS_FAULTS } from "./faults-process.ts";
import { REDIS_FAULTS } from "./faults-redis.ts";
import { STREAM_FAULTS } from "./faults-streams.ts";
import { TIME_FAULTS } from "./faults-time.ts";
import { VANDAL_FAULTS } from "./faults-vandal.ts";

export const FAULTS: Readonly<Record<string, FaultKind>> = {
  ...PROCESS_FAULTS,
  ...REDIS_FAULTS,
  ...FAILOVER_FAULTS,
  ...CLUSTER_FAULTS,
  ...TIME_FAULTS,
  ...EXCHANGE_FAULTS,
  ...ACCOUNT_EVENT_FAULTS,
  ...VANDAL_FAULTS,
  ...STREAM_FAULTS,
  ...OPERATOR_FAULTS,
};
