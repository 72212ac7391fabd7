/** `flatten` and `close`, with their options. */
import { type Command, InvalidArgumentError } from "commander";
import { CommandError, EXIT } from "./exit.ts";
import { closeCommand, type CloseOptions, type ExitOptions, flattenCommand } from "./flatten.ts";
import type { Session } from "./session.ts";

type Run = (work: (session: Session) => Promise<void>, needs: { envFile?: string }) => Promise<void>;

export function addExitCommands(program: Command, run: Run, stop: AbortSignal): void {
  exits(program.command("flatten"))
    .description(
      "close positions at once, whatever is broken or halted; needs only Redis, one executor and the exchange",
    )
    .argument("[symbols...]", "these symbols")
    .option("--all", "every position of the account; turns the kill switch on first, and leaves it on")
    .action((symbols: string[], options: ExitOptions) =>
      run((session) => flattenCommand(session, symbols, options, stop), options).catch(notDone),
    );
  exits(program.command("close"))
    .description("close a symbol, or a part of it, as flatten does")
    .argument("<symbol>")
    .option("--pct <n>", "this share of the position, in percent", percent)
    .option("--qty <q>", "this quantity, in coins", quantity)
    .action((symbol: string, options: CloseOptions) =>
      run((session) => closeCommand(session, symbol, options, stop), options).catch(notDone),
    );
}

/** Whatever ends an exit early, an interrupt as well: it is no success. */
function notDone(error: unknown): never {
  if (error instanceof CommandError) throw error;
  throw new CommandError(EXIT.no, `NOT done: ${(error as Error).message}`);
}

function exits(command: Command): Command {
  return command
    .option(
      "--drill",
      "show what would be cancelled and sent, and what is in the way; cancel and send nothing",
    )
    .option("--yes", "do not ask for confirmation; requires --reason")
    .option("--reason <text>", "why, for the audit stream")
    .option(
      "--key <file>",
      "the operator's private key [PERMITCTL_OPERATOR_KEY, or the only operator-*.pem in ~/.config/permitctl]",
    )
    .option("--operator <name>", "the operator's name [from the name of the key's file]")
    .option("--mode <mode>", "the executor's mode [EXECUTOR_MODE]")
    .option("--venue <venue>", "the executor's exchange, by name or URL [BINANCE_BASE_URL]")
    .option("--account <name>", "the executor's account [QUANTUM_ACCOUNT, or main]")
    .option("--env-file <file>", "a file with these variables, such as the executor's environment file");
}

const DECIMAL = /^\d{1,15}(\.\d{1,20})?$/;
const HUNDRED = 100;

function quantity(text: string): string {
  if (!DECIMAL.test(text) || Number(text) === 0) throw new InvalidArgumentError("must be a decimal above 0");
  return text;
}

function percent(text: string): string {
  if (!DECIMAL.test(text) || Number(text) === 0 || Number(text) > HUNDRED)
    throw new InvalidArgumentError("must be above 0 and at most 100");
  return text;
}
