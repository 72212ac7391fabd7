/**
 * What Redis was made to lose, by a power loss (the end of its log) or a flush (everything). This process had read all
 * streams before, so it knows exactly which entries are gone and which plans can no longer end.
 */
import { type StreamName, type StreamRef, streamRef } from "@quantum/harness";
import { isLater } from "@quantum/streams";
import { type Recorder, readUnique } from "./record.ts";

export interface Loss {
  /** The last entry of each stream before the loss. All entries up to it had been read here. */
  seen: ReadonlyMap<StreamRef, string>;
  /** The last remaining entry of each stream. A stream without one lost everything. */
  survived: ReadonlyMap<StreamRef, string>;
}

const BEFORE_ALL = "0-0";

export class Losses {
  readonly #losses: Loss[] = [];
  /** Plans whose claim a vandal deleted. Unless it was rebuilt, it cannot be shown at the end. */
  readonly struckClaims = new Set<string>();
  /** Keys of charges that a vandal deleted. */
  readonly struckCharges = new Set<string>();
  /** Plans whose proposal a vandal deleted, perhaps before it was read. */
  readonly struckProposals = new Set<string>();

  get count(): number {
    return this.#losses.length;
  }

  isErased(stream: StreamName, id: string): boolean {
    return this.#losses.some((_, index) => this.#erases(index, stream, id));
  }

  /** Whether a loss removed the entry but not its plan's entry, so that it must have been repeated. */
  isUndone(stream: StreamName, id: string, attempt: string): boolean {
    return this.#losses.some(
      (_, index) => this.#erases(index, stream, id) && !this.#erases(index, "plan", attempt),
    );
  }

  /** Marks the plans that can no longer end, so that nobody waits for them. */
  add(loss: Loss, history: Recorder): void {
    this.#losses.push(loss);
    for (const plan of history.open) {
      const proposal = history.proposalIds.get(plan);
      if (
        proposal === undefined ||
        this.isErased("proposal", proposal) ||
        this.#isAcknowledged(plan, history)
      )
        history.forgotten.add(plan);
    }
    for (const execute of history.executes) {
      if (this.isErased("execute", history.idOf(execute))) history.ended.add(execute.attempt);
    }
    history.forget();
  }

  /**
   * Whether a loss removed the plan and not the acknowledgement of its proposal, which is on another server: nobody
   * reads that again.
   */
  isPlanAlone(attempt: string): boolean {
    return this.#losses.some(
      (loss, index) => !loss.seen.has(streamRef("proposal", 0)) && this.#erases(index, "plan", attempt),
    );
  }

  #isAcknowledged(planId: string, history: Recorder): boolean {
    const last = history.plans.findLast((plan) => plan.planId === planId);
    return last !== undefined && this.isPlanAlone(last.attempt);
  }

  /** Whether this loss removed the entry. Only earlier entries can be lost. */
  #erases(index: number, stream: StreamName, id: string): boolean {
    const loss = this.#losses[index];
    const { streamId, partition, losses } = readUnique(id);
    const ref = streamRef(stream, partition);
    return (
      loss !== undefined &&
      losses <= index &&
      !isLater(streamId, loss.seen.get(ref) ?? BEFORE_ALL) &&
      isLater(streamId, loss.survived.get(ref) ?? BEFORE_ALL)
    );
  }
}
