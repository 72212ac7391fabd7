/** Checks, one line each: `verify`, and `exchange check`. */
import { readFile } from "node:fs/promises";
import { parseEnv } from "node:util";
import type { Check } from "@quantum/operator";
import { spans, type Styled, styled } from "@quantum/service-kit";
import { CommandError, EXIT } from "./exit.ts";
import type { Host } from "./host.ts";
import type { Terminal } from "./terminal.ts";

export interface CheckOptions {
  /** A service's environment file. Without it, this process's environment is used. */
  envFile?: string;
}

/** @returns whether every check was made and passes */
export function printChecks(terminal: Terminal, checks: readonly Check[]): boolean {
  terminal.print(
    checks,
    checks.map(({ check, ok, found }) => spans`${markOf(ok)} ${check}: ${found}`),
  );
  return checks.every(({ ok }) => ok === true);
}

const NOT_ASKED = "not asked";

function markOf(ok: boolean | null): Styled {
  if (ok === null) return styled("yellow", NOT_ASKED);
  return ok ? styled("green", "ok".padEnd(NOT_ASKED.length)) : styled("red", "FAIL".padEnd(NOT_ASKED.length));
}

export async function environmentOf({ envFile }: CheckOptions, env: Host["env"]): Promise<Host["env"]> {
  if (envFile === undefined) return env;
  const text = await readFile(envFile, "utf8").catch((error: unknown) => {
    throw new CommandError(EXIT.usage, `--env-file: ${(error as Error).message}`);
  });
  return parseEnv(text);
}
