/**
 * The pipeline as it is now, read once for everybody who looks. While Redis does not answer, what it last said stays, with
 * the time since when.
 */
import { dispositionOf } from "@quantum/redis";
import { askAt, type OpenAccess, OverviewMemory, readOverview } from "@quantum/operator";
import { sharedAnswer } from "@quantum/service-kit";
import type { Now } from "./api.ts";
import type { ConsoleEvents } from "./events.ts";

/** Of readings, however many look. */
const PAUSE_MS = 500;
/** Of questions to services at addresses that were given. */
const ASK_PAUSE_MS = 5_000;

type Told = Omit<Now, "atMs" | "away" | "waits">;

export class Present {
  #memory = new OverviewMemory();
  /** Whose memory it is; undefined: nobody's yet. */
  #partitions: OpenAccess["partitions"] | undefined;
  readonly #access: OpenAccess;
  readonly #events: ConsoleEvents;
  readonly #urls: readonly string[];
  /** By performance.now(). */
  #askAgainAt = 0;
  #told: Told = NOTHING_KNOWN;
  /** When it was so: while Redis is away, what is shown has this age. */
  #toldAtMs: number | undefined;
  #away: Now["away"];
  /** Waits for the pause, so that an answer is never older than its question. */
  readonly read = sharedAnswer(() => this.#read(), PAUSE_MS);

  /** @param urls where services are that cannot be found by their names */
  constructor(access: OpenAccess, events: ConsoleEvents, urls: readonly string[]) {
    this.#access = access;
    this.#events = events;
    this.#urls = urls;
  }

  /** Of the partitions that there are now: after a change of their number nothing of before counts. @throws while they are not known */
  get memory(): OverviewMemory {
    const { partitions } = this.#access;
    if (this.#partitions !== undefined && this.#partitions !== partitions)
      this.#memory = new OverviewMemory();
    this.#partitions = partitions;
    return this.#memory;
  }

  async #read(): Promise<Now> {
    const access = this.#access;
    this.#askServices();
    try {
      this.#told = await readOverview(access, this.memory);
      if (this.#away !== undefined) this.#events.emit("back");
      this.#toldAtMs = access.nowMs();
      this.#away = undefined;
    } catch (error) {
      if (this.#away === undefined) this.#events.emit("away", error as Error);
      const sinceMs = this.#away?.sinceMs ?? access.nowMs();
      this.#away = { sinceMs, problem: await problemText(error, access) };
    }
    const nowMs = access.nowMs();
    const waits = this.#memory.tally.history(nowMs);
    return { ...this.#told, atMs: this.#toldAtMs ?? nowMs, away: this.#away, waits };
  }

  /** In the background: a service that hangs delays nobody. */
  #askServices(): void {
    const now = performance.now();
    if (this.#urls.length === 0 || now < this.#askAgainAt) return;
    this.#askAgainAt = now + ASK_PAUSE_MS;
    void askAt(this.#urls).then((answers) => this.#memory.probes.learn(answers));
  }
}

/** In a sentence, why Redis did not do what it was asked. */
export async function problemText(error: unknown, { brokenBy, problemOf }: OpenAccess): Promise<string> {
  const problem = await problemOf(error as Error);
  if (problem?.kind === "keys in the way") return problem.found.join("; ");
  // The command's own error may only say that the connection failed.
  const cause = brokenBy() ?? (error as Error);
  const disposition = dispositionOf(cause);
  if (disposition.kind === "refused") return `${disposition.advice} (${cause.message})`;
  return disposition.kind === "passes" ? `${disposition.meaning}: ${cause.message}` : cause.message;
}

/** Before the first answer. Like everybody else on Redis: what cannot be read is halted, not running. */
const UNKNOWN = "not known: Redis has not answered yet";
const NOTHING_KNOWN: Told = {
  redis: { version: "", notDurable: [] },
  killSwitch: { on: true, text: UNKNOWN },
  killRecord: null,
  disarm: null,
  exit: {
    state: { keys: 0, atMs: undefined, drilledAtMs: undefined, drilledBy: "" },
    armed: false,
    text: UNKNOWN,
  },
  pauses: [],
  symbols: [],
  waiting: [],
  moreWaiting: 0,
  services: [],
  groups: [],
  lastOk: undefined,
  lastBlock: undefined,
  deadLetters: 0,
  silent: [],
};
