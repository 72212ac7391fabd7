/** A command's exit codes, for scripts. */
export const EXIT = {
  ok: 0,
  /** A check failed, nothing was found, or the change was refused. */
  no: 1,
  /** Wrong arguments or configuration. Nothing was sent to Redis. */
  usage: 2,
  /** Redis does not answer, or cannot do this now. Try again later. */
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
