/**
 * Proves that replicas have a claim, before its order is sent (ADR 37). The proof is of receipt: the replica that is promoted
 * may be another one.
 */
import { atEndOfTurn, type RedisClient } from "@quantum/redis";

/**
 * How long replicas have to acknowledge, in ms. In one region they do within a few; meanwhile Redis answers nothing else on
 * this connection, whose commands have 2 s.
 */
const ACKNOWLEDGE_WITHIN_MS = 200;

/** Of one claim. Ask after it. @returns why it is not proven, or undefined */
export type ReplicationProof = () => Promise<string | undefined>;

export class Replication {
  readonly #redis: RedisClient;
  readonly #minReplicas: number;
  #asked: Promise<number> | undefined;

  /**
   * @param redis the connection of the claims
   * @param minReplicas with 0, nothing is asked
   */
  constructor(redis: RedisClient, minReplicas: number) {
    this.#redis = redis;
    this.#minReplicas = minReplicas;
  }

  /** Call it before the claim is sent: WAIT speaks of what its own connection wrote, and of nothing on a new one. */
  beforeClaim(): ReplicationProof {
    if (this.#minReplicas === 0) return () => Promise.resolve(undefined);
    const { stream } = this.#redis;
    return async () => {
      const acknowledged = await this.#ask().catch((error: Error) => error);
      if (acknowledged instanceof Error) return `WAIT: ${acknowledged.message}`;
      if (this.#redis.stream !== stream) return "the connection to Redis was lost after the claim";
      if (acknowledged >= this.#minReplicas) return undefined;
      return `${acknowledged} of ${this.#minReplicas} replicas acknowledged within ${ACKNOWLEDGE_WITHIN_MS} ms`;
    };
  }

  /** All claims that were answered in this turn share one WAIT: it is sent after them. */
  #ask(): Promise<number> {
    if (this.#asked === undefined) {
      this.#asked = this.#redis.wait(this.#minReplicas, ACKNOWLEDGE_WITHIN_MS);
      atEndOfTurn(() => (this.#asked = undefined));
    }
    return this.#asked;
  }
}
