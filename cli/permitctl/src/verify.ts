/** `verify`: does the deployment work? One line per check. */
import { readFile } from "node:fs/promises";
import { parseEnv } from "node:util";
import { checkDeployment } from "@quantum/operator";
import { spans, styled } from "@quantum/service-kit";
import { CommandError, EXIT } from "./exit.ts";
import type { Host } from "./host.ts";
import type { Session } from "./session.ts";

export interface VerifyOptions {
  /** The apply-layer's environment file. Without it, this process's environment is used. */
  envFile?: string;
}

/** @returns whether every check passes */
export async function verify(
  { access, terminal }: Session,
  options: VerifyOptions,
  env: Host["env"],
): Promise<boolean> {
  const checks = await checkDeployment(access, await environmentOf(options, env));
  terminal.print(
    checks,
    checks.map(({ check, ok, found }) => {
      return spans`${ok ? styled("green", "ok  ") : styled("red", "FAIL")} ${check}: ${found}`;
    }),
  );
  return checks.every(({ ok }) => ok);
}

async function environmentOf({ envFile }: VerifyOptions, env: Host["env"]): Promise<Host["env"]> {
  if (envFile === undefined) return env;
  const text = await readFile(envFile, "utf8").catch((error: unknown) => {
    throw new CommandError(EXIT.usage, `--env-file: ${(error as Error).message}`);
  });
  return parseEnv(text);
}
