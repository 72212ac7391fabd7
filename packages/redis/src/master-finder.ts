/**
 * Finds masters for all connections of this process, and tells a connection whose master has been replaced. One for each
 * set of Sentinels and each cluster (docs/adr/0036).
 */
import { setTimeout as delay } from "node:timers/promises";
import { Guides } from "./guides.ts";
import { type Claim, isSame, masterOf, NoMasterError } from "./masters.ts";
import { type ClusterUrl, type SentinelUrl, writeRedisUrl } from "./url.ts";

/** A master that is cut off from the Sentinels, but not from us, takes our writes until then. */
const ASK_EVERY_MS = 500;

/** A connection that is to lead to the master of a slot. */
export interface Follower {
  readonly slot: number;
  /** Where it leads; undefined while that is not known. */
  claim: Claim | undefined;
  /** Called when another server has become master. */
  moveTo(claim: Claim): void;
}

const finders = new Map<string, MasterFinder>();

/** The same for the same Sentinels and master, or the same nodes. */
export function finderOf(url: SentinelUrl | ClusterUrl): MasterFinder {
  const place = writeRedisUrl(url.kind === "sentinel" ? { ...url, database: 0 } : url);
  const finder = finders.get(place) ?? new MasterFinder(url);
  finders.set(place, finder);
  return finder;
}

export class MasterFinder {
  readonly #url: SentinelUrl | ClusterUrl;
  readonly #followers = new Set<Follower>();
  /** Undefined: nobody follows. */
  #guides: Guides | undefined;
  #watch = new AbortController();

  constructor(url: SentinelUrl | ClusterUrl) {
    this.#url = url;
  }

  /** From now on until {@link remove} it is told of another master. */
  add(follower: Follower): void {
    this.#followers.add(follower);
    if (this.#guides !== undefined) return;
    this.#guides = new Guides(this.#url);
    this.#watch = new AbortController();
    void this.#watchOver(this.#guides, this.#watch.signal);
  }

  remove(follower: Follower): void {
    this.#followers.delete(follower);
    if (this.#followers.size > 0) return;
    this.#watch.abort();
    this.#guides?.close();
    this.#guides = undefined;
  }

  /**
   * Only for a follower that was added.
   * @throws {@link NoMasterError}
   */
  async find(slot: number): Promise<Claim> {
    const claims = (await this.#guides?.ask()) ?? [];
    const claim = masterOf(claims, slot);
    if (claim === undefined) throw new NoMasterError(`slot ${slot} of the cluster has no master`, []);
    return claim;
  }

  async #watchOver(guides: Guides, signal: AbortSignal): Promise<void> {
    for (;;) {
      await delay(ASK_EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      // Those who do not answer change nothing: a connection to the master needs them no more.
      const claims = await guides.ask().catch(() => []);
      if (signal.aborted) return;
      for (const follower of this.#followers) this.#judge(follower, claims);
    }
  }

  #judge(follower: Follower, claims: readonly Claim[]): void {
    const { claim } = follower;
    const newest = masterOf(claims, follower.slot);
    // Those who know of the newest may not have answered this time.
    if (claim === undefined || newest === undefined || newest.epoch <= claim.epoch) return;
    if (isSame(newest.address, claim.address)) follower.claim = newest;
    else follower.moveTo(newest);
  }
}
