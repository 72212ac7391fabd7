/** How a handler leaves an entry. */
export type Disposition =
  /** The handler's own script acknowledged it. */
  | { kind: "done" }
  /** Nothing more to do: acknowledge. */
  | { kind: "ack" }
  /** Leave it pending; it comes again after `reclaimIdleMs`. */
  | { kind: "retry"; reason: string }
  /** It can never be handled. */
  | { kind: "dead"; reason: string };

export const DONE: Disposition = { kind: "done" };
export const ACK: Disposition = { kind: "ack" };
