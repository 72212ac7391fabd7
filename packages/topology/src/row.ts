/** What the table says about one service. */

/** The streams, by the names that `createKeys` of the contract gives them. */
export type StreamName =
  | "proposal"
  | "plan"
  | "permit"
  | "execute"
  | "result"
  | "governorEvents"
  | "deadLetter"
  | "operatorAudit";

export interface Row {
  /** The folder below services/, the compose service, the Prometheus job, the name in logs and consumers. */
  readonly name: string;
  /** The unit is `quantum-<unit>.service`, its environment file `<unit>.env`. Differs where the Python service's does. */
  readonly unit: string;
  /** One line: the unit's description. */
  readonly title: string;
  /** Of /healthz, /readyz and /metrics; fixed on hosts and in containers. */
  readonly port: number;
  readonly portVariable: string;
  /** Environment variables that begin so are this service's own: an unknown one is a misspelt one. */
  readonly envPrefixes: readonly string[];
  /** The variables that take the list of symbols. */
  readonly symbolVariables: readonly string[];
  /** The Redis user under which it works, where it is not the issuer's name or its own. */
  readonly user?: string;
  /** The consumer group under which it reads; undefined: it reads without one, or not at all. */
  readonly group?: string;
  /** The streams that the group reads. */
  readonly reads: readonly StreamName[];
  /** Present if it answers plans with permits. */
  readonly issuer?: IssuerRow;
  /** The variable that names the file of the issuers' public keys; present if it verifies what they sign. */
  readonly publicKeysVariable?: string;
  /** The variable that names the file of the operators' public keys; present if it verifies what they sign. */
  readonly operatorKeysVariable?: string;
  /** The variable that takes a URL of the Redis user `operator`; present if it makes operators' changes. */
  readonly operatorRedisVariable?: string;
  /** The variable that names the file of its users, which it follows; present if people log in. */
  readonly usersVariable?: string;
  /** The variable that names the folder of its local state; present if it keeps any. No two processes may share a folder. */
  readonly stateVariable?: string;
  /** Whether it speaks to the exchange, and so needs its URL and an account. */
  readonly needsVenue: boolean;
  /** `durable`: at a real venue it refuses a Redis that may forget. `any`: its state may be lost. `none`: it uses none. */
  readonly redis: "durable" | "any" | "none";
  /** Whether several of it may run at the same time. */
  readonly replicated: boolean;
  /** Present if it is on no plan's path: it only looks, and a pipeline is whole without it. */
  readonly watches?: true;
  /** Present if it stands in for something outside: no host runs it, and a new process does not know what the old one did. */
  readonly standIn?: {
    /** What is lost with its process, as a sentence goes on after "it is not started again:". */
    readonly loses: string;
  };
  /** What a run at the simulated exchange sets: the defaults are made for real money. */
  readonly demonstration: Readonly<Record<string, string>>;
}

/** A row that answers plans. */
export interface IssuerService extends Row {
  readonly group: string;
  readonly issuer: IssuerRow;
}

export interface IssuerRow {
  /** In `APPLY_REQUIRED_PERMITS`, keys, records and reasons. */
  readonly name: string;
  /** The JSON field in which it says yes: only JSON `true` there is a yes. */
  readonly verdictField: "granted" | "allow";
  /** The permit's key, without `quantum:` and the plan id. */
  readonly permitKey: string;
  /** The wait log's name for it: `gov_ttl=58`. */
  readonly ttlLabel: string;
  /** Whether its permit carries the order's side and quantity. */
  readonly carriesQuantity: boolean;
  /**
   * Whether every plan needs it, unless `APPLY_REQUIRED_PERMITS` says otherwise: its default is the Python service's. A
   * pipeline starts the others only where that variable names them.
   */
  readonly required: boolean;
}
