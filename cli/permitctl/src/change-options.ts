import type { Command } from "commander";

/** The options of a command that changes something. */
export function changes(command: Command): Command {
  return command
    .option("--yes", "do not ask for confirmation; requires --reason")
    .option("--reason <text>", "why, for the audit stream");
}
