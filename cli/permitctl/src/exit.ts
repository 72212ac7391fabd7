/** How a command ends, for scripts that call it. */
export const EXIT = {
  ok: 0,
  /** A check failed, nothing was found, or the change was refused. */
  no: 1,
  /** Wrong arguments or configuration: nothing was asked of Redis. */
  usage: 2,
  /** Redis does not answer, or cannot do it now: ask again later. */
  unreachable: 3,
} as const;
export type Exit = (typeof EXIT)[keyof typeof EXIT];

/** Ends the command with one line on stderr. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exit: Exit;

  constructor(exit: Exit, message: string) {
    super(message);
    this.exit = exit;
  }
}
