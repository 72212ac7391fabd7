/** What every measured system can do. Each is used through its own public interface. */
export interface Contender {
  readonly name: string;
  /**
   * Publishes the work with this number. Its issuers answer at once. With `answerAtMs` ({@link monotonicMs}) the last
   * one answers at that time: by itself, or when the caller calls `release` then.
   */
  publish(index: number, answerAtMs?: number): void;
  release(index: number): void;
  /** Called at each verdict. `atMs` is by {@link monotonicMs}; `ok`: its permits were spent. */
  onVerdict: (index: number, ok: boolean, atMs: number) => void;
  /** Removes unfinished work, so that the next run starts clean. */
  clear(): Promise<void>;
  /** The processes end with the rig. */
  stop(): Promise<void>;
}
