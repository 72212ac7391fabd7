/** One command-line call: a working Redis connection, and the output. */
import { readFile } from "node:fs/promises";
import { AccessError, type AccessProblem, type OpenAccess, withAccess } from "@quantum/operator";
import { ConfigError, readConfig, redisUrl, redisVariables } from "@quantum/service-kit";
import { z } from "zod";
import { CommandError, EXIT } from "./exit.ts";
import type { Host } from "./host.ts";
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
}

export interface Session {
  access: OpenAccess;
  terminal: Terminal;
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
  const url = await urlOf(options, host.env);
  const terminal = createTerminal(host, options.json === true);
  try {
    const { readyCheck } = options;
    const answer = await withAccess(
      { url, name: "permitctl", ...(readyCheck === false && { readyCheck }) },
      (access) =>
        // Keep the command's own errors, so that they are not taken for Redis's.
        command({ access, terminal }).catch((error: unknown) => {
          if (error instanceof CommandError) return error;
          throw error;
        }),
    );
    if (answer instanceof CommandError) throw answer;
    return answer;
  } catch (error) {
    throw error instanceof AccessError ? told(error, error.problem) : error;
  }
}

/** The error for the shell: what to change, or to try again later. */
function told({ url, message }: AccessError, problem: AccessProblem): CommandError {
  switch (problem.kind) {
    case "refused":
      return new CommandError(EXIT.usage, `Redis at ${url} refuses: ${problem.advice} (${message})`);
    case "keys in the way":
      return new CommandError(EXIT.no, problem.found.join("; "));
    case "no answer":
      return new CommandError(EXIT.unreachable, `Redis at ${url} does not answer: ${message}`);
    default:
      return new CommandError(
        EXIT.unreachable,
        `Redis at ${url} cannot do this now: ${problem.meaning} (${message})`,
      );
  }
}

async function urlOf({ redisUrl: named, run }: GlobalOptions, env: Host["env"]): Promise<string> {
  if (named !== undefined && run !== undefined)
    throw new CommandError(EXIT.usage, "--redis-url and --run name two Redis servers: give one of them");
  if (run !== undefined) return urlOfRun(run);
  const environment = named === undefined ? env : { REDIS_URL: named };
  try {
    return redisUrl(readConfig({ schema: z.object(redisVariables), ownPrefixes: [] }, environment).config);
  } catch (error) {
    if (error instanceof ConfigError) throw new CommandError(EXIT.usage, error.violations.join("; "));
    throw error;
  }
}

const runFile = z.object({ redis: z.object({ url: z.string() }) });

async function urlOfRun(file: string): Promise<string> {
  try {
    return runFile.parse(JSON.parse(await readFile(file, "utf8"))).redis.url;
  } catch {
    throw new CommandError(EXIT.usage, `--run: ${file} describes no running pipeline`);
  }
}
