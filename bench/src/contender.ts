/** What every measured system can do; each is driven through its own public entrance. */
export interface Contender {
  readonly name: string;
  /**
   * Publishes the work of that number. Its issuers answer at once; with `answerAtMs` ({@link monotonicMs}) the last one
   * answers then: by itself, or when `release` is called, which the caller does at that time.
   */
  publish(index: number, answerAtMs?: number): void;
  release(index: number): void;
  /** Called at each verdict. `atMs`: {@link monotonicMs}; `ok`: its permits were spent. */
  onVerdict: (index: number, ok: boolean, atMs: number) => void;
  /** Gets rid of what did not end in time, so that the next run starts with nothing under way. */
  clear(): Promise<void>;
  /** The processes end with the rig. */
  stop(): Promise<void>;
}
