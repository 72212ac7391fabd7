/** The commands, their arguments and help. */
import { Command, CommanderError, Option } from "commander";
import { buildText } from "@quantum/service-kit";
import { PUBLIC_KEYS_FILE } from "@quantum/topology";
import { serviceUrl } from "./addresses.ts";
import { outcome, partitionCount, planId, planIds, positive, since, symbol, verdict } from "./arguments.ts";
import { changes } from "./change-options.ts";
import type { ChangeOptions } from "./confirm.ts";
import { addConsoleCommands } from "./console-users.ts";
import type { CheckOptions } from "./checks.ts";
import { addDeadLetterCommands } from "./dead-letter-commands.ts";
import { type DoubtOptions, endDoubtCommand } from "./doubts.ts";
import { CommandError, EXIT } from "./exit.ts";
import { checkExchange, showExchange } from "./exchange.ts";
import { addExitCommands } from "./exit-commands.ts";
import { explain } from "./explain.ts";
import type { Host } from "./host.ts";
import { history, type HistoryOptions } from "./history.ts";
import { killOff, killOn, killReason } from "./kill.ts";
import { type KeyOptions, newKeyCommand, rotateKeys, type RotateOptions, showKeys } from "./keys.ts";
import {
  acceptHoldCommand,
  clearDisarmCommand,
  forcePlans,
  listHolds,
  resumeExchangeCommand,
} from "./operate.ts";
import { listPartitions, type MigrateCommandOptions, migratePartitions } from "./partitions.ts";
import { type PermitOptions, verifyPermits } from "./permit.ts";
import { type GlobalOptions, type Session, type SessionOptions, withSession } from "./session.ts";
import { type ResetOptions, resetPlans } from "./reset.ts";
import { status, type StatusOptions } from "./status.ts";
import { createTerminal, type Terminal } from "./terminal.ts";
import { verify, type VerifyOptions } from "./verify.ts";
import { watch, type WatchOptions } from "./watch.ts";

const SHOWN_PLANS = 20;

const EPILOGUE = `
Redis: REDIS_URL, or REDIS_HOST, REDIS_PORT and REDIS_DB, as for the services. Without any of them, that of the pipeline that
runs from this checkout, if one does.
Exit codes: 0 done; 1 a check failed or could not be made, nothing was found, the Redis has no pipeline, or the change was
refused; 2 wrong usage, or Redis refuses the connection permanently; 3 Redis does not answer, or cannot do it now.`;

const URL_HELP =
  "where a service is that cannot be found by its name, such as http://127.0.0.1:8043; once for each [PERMITCTL_URLS, separated by commas]";

type Needs = Pick<SessionOptions, "readyCheck" | "resend" | "migrating" | "halting" | "envFile">;

export function createProgram(host: Host): Command {
  const { stdout, stderr, stop } = host;
  const program = new Command("permitctl");
  program
    .description("Watch, explain and operate the permit pipeline.")
    .option("-V, --version", "print the version and the commit")
    .on("option:version", () => {
      stdout.line(`permitctl ${buildText()}`);
      throw new CommanderError(0, "commander.version", "");
    })
    .option("--json", "answer in JSON")
    .option("--redis-url <url>", "Redis to use instead of the environment's")
    .option("--run <file>", "use the Redis of a running `pnpm start`: .cache/run.json")
    .addHelpText("after", EPILOGUE)
    .configureOutput({ writeOut: (text) => stdout.block(text), writeErr: (text) => stderr.block(text) })
    .exitOverride();

  const run = (work: (session: Session) => Promise<void>, needs: Needs = {}) =>
    withSession(host, { ...needs, ...program.opts<GlobalOptions>() }, work);
  /** For what {@link changes} takes. */
  const change = (work: (session: Session) => Promise<void>) => run(work, { resend: false });
  /** Files alone are asked. */
  const offline = (work: (terminal: Terminal) => Promise<void>) =>
    work(createTerminal(host, program.opts<GlobalOptions>().json === true));

  program
    .command("watch")
    .description(
      "live [PERMIT_WAIT] lines from the streams, and plans that are blocked at their opening, until Ctrl-C",
    )
    .option("--symbol <symbol>", "only this symbol", symbol)
    .option("--only <verdict>", "only these verdicts: ok, block", verdict)
    .option("--reason <reason>", "only blocks with this reason or detail")
    .option("--since <when>", "begin with what ended 90s, 15m, 2h or 1d ago, or at a time", since)
    .action((options: WatchOptions) => run((session) => watch(session, options, stop)));

  program
    .command("status")
    .description(
      "halts, closes that are not executed, orders in doubt, holds, last waits, services, symbols with their limits, groups",
    )
    .option(
      "--follow",
      "refresh every two seconds, until Ctrl-C; keeps to the window, and goes on while Redis is away",
    )
    .option("--url <url>", URL_HELP, serviceUrl)
    .action((options: StatusOptions) => run((session) => status(session, options, stop)));

  program
    .command("explain")
    .description("a plan's timeline, and in one sentence the reason for its outcome")
    .argument("<plan_id>", "16 hex digits", planId)
    .action((id: string) => run((session) => explain(session, id)));

  program
    .command("history")
    .description("how plans ended, newest first")
    .option("--symbol <symbol>", "only this symbol", symbol)
    .option("--outcome <outcome>", "only this outcome", outcome)
    .option("--reason <reason>", "only this reason or detail")
    .option("--limit <n>", "maximum number of plans", positive, SHOWN_PLANS)
    .action((options: HistoryOptions) => run((session) => history(session, options)));

  changes(program.command("force"))
    .description("let the plan of the current proposal open again, if its order was never claimed")
    .argument("[symbol]", "only this symbol", symbol)
    .action((named: string | undefined, options: ChangeOptions) =>
      change((session) => forcePlans(session, named, options)),
    );

  changes(program.command("reset"))
    .description(
      "forget plans whose orders were never claimed, also those that wait, so that their proposals open them again",
    )
    .argument("[plan_ids...]", "16 hex digits each", planIds)
    .option("--all", "every such plan")
    .action((ids: readonly string[], options: ResetOptions) =>
      change((session) => resetPlans(session, ids, options)),
    );

  const killSwitch = program.command("kill").description("the kill switch");
  killSwitch
    .command("on")
    .description("halt everything, at once; nothing is asked, and the Redis user `halt` suffices")
    .option("--reason <text>", "why; it can be added later")
    // Like every change, for scripts.
    .addOption(new Option("--yes").hideHelp())
    .action((options: ChangeOptions) =>
      run((session) => killOn(session, options, stop), { readyCheck: false, halting: true }),
    );
  changes(killSwitch.command("off"))
    .description("let the pipeline continue")
    .action((options: ChangeOptions) => change((session) => killOff(session, options, stop)));
  killSwitch
    .command("reason")
    .description("record why it was turned on")
    .argument("<text>", "one sentence")
    .action((text: string) => run((session) => killReason(session, text)));

  addExitCommands(program, run, stop);

  const disarm = program.command("disarm").description("the governor's disarm");
  changes(disarm.command("clear"))
    .description("arm the pipeline again")
    .action((options: ChangeOptions) => change((session) => clearDisarmCommand(session, options, stop)));

  const exchange = program
    .command("exchange")
    .description("what the pipeline knows of the exchange")
    .action(() => run(showExchange));
  exchange
    .command("check")
    .description(
      "ask the exchange, before the pipeline runs there: clock, key, account modes, symbols; exit code 1 if any check fails",
    )
    .option("--env-file <file>", "position-brain's environment file, /etc/quantum/position-state-brain.env")
    .action((options: CheckOptions) =>
      run(async (session) => {
        if (!(await checkExchange(session, options, host.env))) throw new CommandError(EXIT.no, "");
      }),
    );
  changes(exchange.command("resume"))
    .description("end the pauses that it asked for, for example because the host has another address now")
    .action((options: ChangeOptions) => change((session) => resumeExchangeCommand(session, options)));

  const hold = program.command("hold").description("symbols whose snapshot and ledger do not match");
  hold
    .command("list")
    .description("list them, with both amounts and since when")
    .action(() => run(listHolds));
  changes(hold.command("accept"))
    .description("accept the exchange's position as right")
    .argument("<symbol>", "", symbol)
    .action((named: string, options: ChangeOptions) =>
      change((session) => acceptHoldCommand(session, named, options)),
    );

  const doubt = program
    .command("doubt")
    .description("orders in doubt that the exchange does not resolve; `status` lists them");
  changes(doubt.command("end"))
    .description("state the outcome of one; if the exchange knows the order, its answer counts")
    .argument("<plan_id>", "16 hex digits", planId)
    .addOption(
      new Option("--as <outcome>", "its outcome").choices(["executed", "not-placed"]).makeOptionMandatory(),
    )
    .option("--quantity <quantity>", "the executed quantity")
    .action((id: string, options: DoubtOptions) =>
      change((session) => endDoubtCommand(session, id, options)),
    );

  addDeadLetterCommands(program, run, change);

  const partitions = program
    .command("partitions")
    .description("how many there are; of each its server, its keys, and whether it is halted")
    .action(() => run(listPartitions));
  changes(partitions.command("migrate"))
    .description("change their number, while every service is stopped; a run that was killed is run again")
    .requiredOption("--to <n>", "how many there shall be, 1 to 64", partitionCount)
    .action((options: MigrateCommandOptions) =>
      run((session) => migratePartitions(session, options), { migrating: true }),
    );

  program
    .command("verify")
    .description(
      "check that the deployed pipeline works: one line per check, exit code 1 if any fails or cannot be made",
    )
    .option("--env-file <file>", "the apply-layer's environment file, such as /etc/quantum/apply-layer.env")
    .option("--url <url>", URL_HELP, serviceUrl)
    .action((options: VerifyOptions) =>
      run(async (session) => {
        if (!(await verify(session, options, host.env))) throw new CommandError(EXIT.no, "");
      }),
    );

  addConsoleCommands(program, offline, host.env);

  const permit = program.command("permit").description("what an issuer signed, from a file, without Redis");
  permit
    .command("verify")
    .description("check the signatures: exit code 1 if any is not valid")
    .argument("<file>", "a permit's JSON, signed texts one a line, or an apply.execute entry's JSON")
    .option(
      "--keys <file>",
      "the public keys: the issuers', or for an exit the operators' [EXECUTOR_ISSUER_KEYS_FILE]",
    )
    .action((file: string, options: PermitOptions) =>
      offline(async (terminal) => {
        if (!(await verifyPermits(terminal, file, options, host.env))) throw new CommandError(EXIT.no, "");
      }),
    );

  const keys = program
    .command("keys")
    .description("the keys with which issuers and operators sign, in files, without Redis");
  keys
    .command("new")
    .description(
      "make the first key of an issuer (ISSUER.pem, and its public half in issuers.json) or an operator (operator-NAME.pem, operators.json)",
    )
    .argument("[issuer]", "such as governor or p33")
    .option("--operator <name>", "instead, an operator who may flatten and close")
    .option("--folder <dir>", "where the two files are", ".")
    .action((issuer: string | undefined, options: KeyOptions) =>
      offline((terminal) => newKeyCommand(terminal, issuer, options)),
    );
  keys
    .command("show")
    .description("list public keys; of a private key (.pem), show its id and its public half")
    .argument("[file]", "[EXECUTOR_ISSUER_KEYS_FILE, or issuers.json here]")
    .action((file: string | undefined) =>
      offline((terminal) =>
        showKeys(terminal, file ?? host.env["EXECUTOR_ISSUER_KEYS_FILE"] ?? PUBLIC_KEYS_FILE),
      ),
    );
  keys
    .command("rotate")
    .description("give an issuer or operator another key; the old public key stays until it is retired")
    .argument("[issuer]", "such as governor or p33")
    .option("--operator <name>", "instead, an operator")
    .requiredOption("--folder <dir>", "where its two files are")
    .option("--retire <kid>", "instead, take this old public key off the list")
    .action((issuer: string | undefined, options: RotateOptions) =>
      offline((terminal) => rotateKeys(terminal, issuer, options)),
    );
  return program;
}
