/** A service's command line: `--help`, `--version`, or else a run with a valid environment. */
import type { z } from "zod";
import { buildText } from "./build.ts";
import { ConfigError, type ConfigSource, describeConfig, readConfig } from "./config.ts";
import { standardOutput } from "./output.ts";

/** Exit code of a refusal to start. Units do not restart after it, because the result would be the same. */
export const REFUSED = 2;

export interface Program<Schema extends z.ZodObject> extends ConfigSource<Schema> {
  name: string;
  /** One line for `--help`. */
  summary: string;
}

/**
 * The configuration from the environment. Undefined if there is nothing to run: help or the version was printed, or the
 * configuration was refused.
 */
export function configuredBy<Schema extends z.ZodObject>(
  program: Program<Schema>,
): ReturnType<typeof readConfig<Schema>> | undefined {
  const { name, summary } = program;
  if (process.argv.includes("--version")) {
    standardOutput().line(`${name} ${buildText()}`);
    return undefined;
  }
  if (process.argv.includes("--help") || process.argv.includes("-h")) {
    standardOutput().block(
      `${name}: ${summary}\n\nEnvironment (defaults in brackets):\n${describeConfig(program)}`,
    );
    return undefined;
  }
  try {
    return readConfig(program, process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    standardOutput("stderr").block(`${name}: ${error.message}`);
    process.exitCode = REFUSED;
    return undefined;
  }
}
