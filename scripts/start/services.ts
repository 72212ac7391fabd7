/** The processes that the launcher starts, in the order in which it shows them. */
export const SERVICES = [
  "exchange-sim",
  "governor",
  "position-brain",
  "executor",
  "apply-layer",
  "harvest-feed",
] as const;
export type ServiceName = (typeof SERVICES)[number];

export type Environment = Readonly<Record<string, string>>;

/** The variable that carries each port, and the port that it is everywhere else. Source: the wire contract. */
export const PORTS: Readonly<Record<ServiceName, { variable: string; fixed: number }>> = {
  "exchange-sim": { variable: "EXCHANGE_SIM_PORT", fixed: 8099 },
  governor: { variable: "METRICS_PORT", fixed: 8044 },
  "position-brain": { variable: "P33_METRICS_PORT", fixed: 8045 },
  executor: { variable: "EXECUTOR_METRICS_PORT", fixed: 8049 },
  "apply-layer": { variable: "APPLY_METRICS_PORT", fixed: 8043 },
  "harvest-feed": { variable: "FEED_METRICS_PORT", fixed: 8098 },
};
