/**
 * What Redis was made to forget, by a power loss (the end of its log) or a flush (everything). What the streams had told
 * of it is still known here, so it can be said exactly which entries went, and which plans can end no more.
 */
import type { StreamName } from "@quantum/harness";
import { isLater } from "@quantum/streams";
import { type Recorder, readUnique } from "./record.ts";

export interface Loss {
  /** The last entry of each stream that was there before; every one of them had been read here. */
  seen: ReadonlyMap<StreamName, string>;
  /** The last one that is still there; a stream without one has lost all. */
  survived: ReadonlyMap<StreamName, string>;
}

const BEFORE_ALL = "0-0";

export class Losses {
  readonly #losses: Loss[] = [];
  /** Plans whose claim a vandal took: at the end it can no longer be shown, unless it was rebuilt. */
  readonly struckClaims = new Set<string>();
  /** Keys of what was charged that a vandal took. */
  readonly struckCharges = new Set<string>();
  /** Plans whose proposal a vandal took, perhaps before it was read. */
  readonly struckProposals = new Set<string>();

  get count(): number {
    return this.#losses.length;
  }

  isErased(stream: StreamName, id: string): boolean {
    return this.#losses.some((_, index) => this.#erases(index, stream, id));
  }

  /** Whether a loss took the entry and left the plan's own: what the entry told had to come again. */
  isUndone(stream: StreamName, id: string, attempt: string): boolean {
    return this.#losses.some(
      (_, index) => this.#erases(index, stream, id) && !this.#erases(index, "plan", attempt),
    );
  }

  /** Marks in the history what can end no more, so that nobody waits for it. */
  add(loss: Loss, history: Recorder): void {
    this.#losses.push(loss);
    for (const plan of history.open) {
      const proposal = history.proposalIds.get(plan);
      if (proposal === undefined || this.isErased("proposal", proposal)) history.forgotten.add(plan);
    }
    for (const execute of history.executes) {
      if (this.isErased("execute", history.idOf(execute))) history.ended.add(execute.attempt);
    }
    history.forget();
  }

  /** Whether one of the losses took the entry. It takes only what was there before it. */
  #erases(index: number, stream: StreamName, id: string): boolean {
    const loss = this.#losses[index];
    const { streamId, losses } = readUnique(id);
    return (
      loss !== undefined &&
      losses <= index &&
      !isLater(streamId, loss.seen.get(stream) ?? BEFORE_ALL) &&
      isLater(streamId, loss.survived.get(stream) ?? BEFORE_ALL)
    );
  }
}
