/** Before a change: who makes it, why, and a confirmation. */
import { hostname, userInfo } from "node:os";
import type { Mandate } from "@quantum/operator";
import { CommandError, EXIT } from "./exit.ts";
import type { Session } from "./session.ts";

export interface ChangeOptions {
  yes?: boolean;
  reason?: string;
}

/** On a terminal, asks for a missing reason and for confirmation. Elsewhere both must be given as arguments. */
export async function confirm(
  { terminal }: Session,
  options: ChangeOptions,
  what: readonly string[],
): Promise<Mandate> {
  const given = { who: whoAmI(), reason: options.reason?.trim() ?? "" };
  if (options.yes === true && given.reason !== "") return given;
  if (!terminal.interactive)
    throw new CommandError(EXIT.usage, "not a terminal, so --yes and --reason TEXT are required");
  terminal.print(undefined, what);
  if (given.reason === "") given.reason = await terminal.ask("Reason, for the record: ");
  if (given.reason === "") throw new CommandError(EXIT.usage, "a reason is required; nothing was changed");
  if (options.yes !== true && (await terminal.ask("Continue? (yes/no) ")) !== "yes")
    throw new CommandError(EXIT.no, "not confirmed; nothing was changed");
  return given;
}

export function whoAmI(): string {
  return `${process.env["SUDO_USER"] ?? userInfo().username}@${hostname()}`;
}
