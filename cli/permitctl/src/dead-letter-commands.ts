/** `dlq`, with its options. */
import type { Command } from "commander";
import { changes } from "./change-options.ts";
import type { ChangeOptions } from "./confirm.ts";
import {
  dropDeadLetters,
  type LetterFilter,
  listDeadLetters,
  requeueDeadLetters,
  showDeadLetter,
} from "./dead-letters.ts";
import type { Session } from "./session.ts";

type Run = (work: (session: Session) => Promise<void>) => Promise<void>;

export function addDeadLetterCommands(program: Command, run: Run, change: Run): void {
  const dlq = program.command("dlq").description("dead letters: entries that a group could not handle");
  filtered(dlq.command("list"))
    .description("list them, newest first, one a line")
    .action((filter: LetterFilter) => run((session) => listDeadLetters(session, filter)));
  dlq
    .command("show")
    .description("show one with its entry")
    .argument("<id>")
    .action((id: string) => run((session) => showDeadLetter(session, id)));
  filtered(changes(dlq.command("requeue")))
    .description(
      "make entries pending again for the group that gave them up: these, or all that the filters find",
    )
    .argument("[ids...]")
    .action((ids: string[], options: LetterFilter & ChangeOptions) =>
      change((session) => requeueDeadLetters(session, ids, options)),
    );
  filtered(changes(dlq.command("drop")))
    .description("delete these, or all that the filters find; the audit entries keep their text")
    .argument("[ids...]")
    .action((ids: string[], options: LetterFilter & ChangeOptions) =>
      change((session) => dropDeadLetters(session, ids, options)),
    );
}

function filtered(command: Command): Command {
  return command
    .option("--because <text>", "only those that were given up for this reason, or one that contains it")
    .option("--stream <stream>", "only those of this stream, such as apply.plan")
    .option("--group <group>", "only those that this group gave up");
}
