/**
 * Since when Redis has forgotten nothing. A restart loses what its log had not yet written (up to a second with
 * `appendfsync everysec`), so an order may have been sent whose claim is gone. Of plans proposed before the restart,
 * nobody knows, also if they are opened after it: that they had been opened may be forgotten too. Of later ones, Redis
 * knows everything.
 */
import type { ExecuteEntry } from "@quantum/contract";
import type { RedisClient } from "@quantum/redis";
import type { ExecutorEvents } from "./events.ts";

const MS_PER_SECOND = 1000;
const US_PER_MS = 1000;

export class RedisMemory {
  readonly #redis: RedisClient;
  readonly #events: ExecutorEvents;
  #runId: string | undefined;
  #sinceMs = 0;
  #checked: Promise<void>;

  constructor(redis: RedisClient, events: ExecutorEvents) {
    this.#redis = redis;
    this.#events = events;
    this.#checked = this.#startCheck();
    // Another connection may lead to another Redis. "ready" comes before the answer to any command on it.
    redis.on("ready", () => void this.#startCheck());
  }

  /** Whether an order of the plan may have been sent that Redis knows nothing of. */
  async mayHaveForgotten(plan: Pick<ExecuteEntry, "opened_at_ms" | "proposed_ms">): Promise<boolean> {
    try {
      await this.#checked;
    } catch {
      await this.#startCheck();
    }
    return (plan.proposed_ms ?? plan.opened_at_ms) < this.#sinceMs;
  }

  /** At once and not when the answer is needed: plans opened while it is on its way would be suspected for nothing. */
  #startCheck(): Promise<void> {
    this.#checked = this.#check();
    this.#checked.catch(() => undefined);
    return this.#checked;
  }

  async #check(): Promise<void> {
    const info = await this.#redis.info("server");
    const field = (name: string) => new RegExp(`^${name}:(.*?)\\r?$`, "m").exec(info)?.[1] ?? "";
    const runId = field("run_id");
    if (runId === this.#runId) return;
    const nowMs = Math.floor(Number(field("server_time_usec")) / US_PER_MS);
    const uptimeMs = Number(field("uptime_in_seconds")) * MS_PER_SECOND;
    if (runId === "" || !(nowMs > 0 && uptimeMs >= 0)) throw new Error("INFO server: unreadable answer");
    // A Redis seen for the first time may be long up; its uptime is whole seconds, so it started up to one later.
    const startedByMs = Math.min(nowMs, nowMs - uptimeMs + MS_PER_SECOND);
    this.#sinceMs = this.#runId === undefined ? startedByMs : nowMs;
    if (this.#runId !== undefined) this.#events.emit("rewound", { sinceMs: this.#sinceMs });
    this.#runId = runId;
  }
}
