/** A handler's decision about an entry. */
export type Disposition =
  /** The handler's own script has acknowledged it. */
  | { kind: "done" }
  /** Nothing left to do: acknowledge it. */
  | { kind: "ack" }
  /**
   * Leave it pending. It is delivered again after `reclaimIdleMs`, and to this consumer as soon as `again` resolves. After
   * `maxDeliveries` it is given up, unless it is `blameless`: what is wrong is not the entry, and will pass.
   */
  | { kind: "retry"; reason: string; again?: Promise<void>; blameless?: true }
  /** It can never be handled. */
  | { kind: "dead"; reason: string };

export const DONE: Disposition = { kind: "done" };
export const ACK: Disposition = { kind: "ack" };
