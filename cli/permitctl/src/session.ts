/** One command-line call: a working Redis connection, and the output. */
import { AccessError, type AccessProblem, type OpenAccess, Refusal, withAccess } from "@quantum/operator";
import { ConfigError, readConfig, redisUrl, redisVariables } from "@quantum/service-kit";
import { z } from "zod";
import { environmentOf } from "./checks.ts";
import { CommandError, EXIT } from "./exit.ts";
import type { Host } from "./host.ts";
import { type Run, runIn, runOfCheckout } from "./running.ts";
import { createTerminal, type Terminal } from "./terminal.ts";

export interface GlobalOptions {
  json?: boolean;
  redisUrl?: string;
  /** A `run.json` of the launcher. */
  run?: string;
}

/** What a command needs of its session. */
export interface SessionOptions extends GlobalOptions {
  /** As in {@link AccessOptions}. */
  readyCheck?: false;
  /** As in {@link AccessOptions}: for changes. */
  resend?: false;
  /** As in {@link AccessOptions}. */
  migrating?: true;
  /** As in {@link AccessOptions}. */
  halting?: true;
  /** A file with variables, which the environment's own override. */
  envFile?: string;
}

export interface Session {
  access: OpenAccess;
  terminal: Terminal;
  /** The pipeline that `--run` names, or that runs from this checkout. */
  run: Run | undefined;
  env: Host["env"];
}

/**
 * Runs one command in an open session.
 * @throws {@link CommandError} for the shell
 */
export async function withSession<T>(
  host: Host,
  options: SessionOptions,
  command: (session: Session) => Promise<T>,
): Promise<T> {
  const terminal = createTerminal(host, options.json === true);
  const env = { ...(options.envFile !== undefined && (await environmentOf(options, {}))), ...host.env };
  const run = await runOf(options, env, terminal);
  const url = run?.redisUrl ?? urlOf(options, env);
  try {
    const { readyCheck, resend, migrating, halting } = options;
    const how = {
      ...(readyCheck === false && { readyCheck }),
      ...(resend === false && { resend }),
      ...(migrating && { migrating }),
      ...(halting && { halting }),
    };
    const answer = await withAccess(
      { url, name: "permitctl", partitions: run?.partitions ?? partitionsIn(env), ...how },
      (access) =>
        // Keep the command's own errors, so that they are not taken for Redis's.
        command({ access, terminal, run, env }).catch((error: unknown) => {
          if (error instanceof CommandError) return error;
          if (error instanceof Refusal) return new CommandError(EXIT.no, error.message);
          throw error;
        }),
    );
    if (answer instanceof CommandError) throw answer;
    return answer;
  } catch (error) {
    if (!(error instanceof AccessError)) throw error;
    const failed = told(error, error.problem);
    if (error.problem.kind !== "no answer" || options.resend !== false) throw failed;
    throw new CommandError(failed.exit, `${failed.message}. ${LOOK_AGAIN}`);
  }
}

const LOOK_AGAIN =
  "If the change had been confirmed, whether it was made is not known: look again, then repeat it";

/** The error for the shell: what to change, or to try again later. */
export function told(
  { url, message }: { url: string; message: string },
  problem: AccessProblem,
): CommandError {
  switch (problem.kind) {
    case "refused":
      return new CommandError(EXIT.usage, `Redis at ${url} refuses: ${problem.advice} (${message})`);
    case "keys in the way":
      return new CommandError(EXIT.no, problem.found.join("; "));
    case "no answer":
      return new CommandError(
        EXIT.unreachable,
        `Redis at ${url} does not answer${problem.where}: ${message}`,
      );
    case "error":
      return new CommandError(EXIT.no, `Redis at ${url} answers: ${message}`);
    default:
      return new CommandError(
        EXIT.unreachable,
        `Redis at ${url} cannot do this now: ${problem.meaning} (${message})`,
      );
  }
}

async function runOf(
  { redisUrl: named, run: file }: GlobalOptions,
  env: Host["env"],
  terminal: Terminal,
): Promise<Run | undefined> {
  if (named !== undefined && file !== undefined)
    throw new CommandError(EXIT.usage, "--redis-url and --run name two Redis servers: give one of them");
  if (file !== undefined) return runIn(file);
  const leads = (variable: string) => variable.startsWith("REDIS_") && Boolean(env[variable]);
  if (named !== undefined || Object.keys(redisVariables).some(leads)) return undefined;
  const run = await runOfCheckout(env);
  if (run !== undefined)
    terminal.remark(
      `No Redis is configured, so this is the pipeline that runs from this checkout: ${run.shown}`,
    );
  return run;
}

/** As the services' variable says; undefined if it is not set. */
function partitionsIn(env: Host["env"]): number | undefined {
  const { PARTITIONS: text = "" } = env;
  return /^[1-9]\d?$/.test(text) ? Number(text) : undefined;
}

function urlOf({ redisUrl: named }: GlobalOptions, env: Host["env"]): string {
  const environment = named === undefined ? env : { REDIS_URL: named };
  try {
    return redisUrl(readConfig({ schema: z.object(redisVariables), ownPrefixes: [] }, environment).config);
  } catch (error) {
    if (error instanceof ConfigError) throw new CommandError(EXIT.usage, error.violations.join("; "));
    throw error;
  }
}
