/** The command line of a service: `--help`, `--version`, else its environment, which must be right. */
import type { z } from "zod";
import { buildText } from "./build.ts";
import { ConfigError, type ConfigSource, describeConfig, readConfig } from "./config.ts";
import { standardOutput } from "./output.ts";

/** Exit code of a refusal. Units are not restarted after it: it would be the same again. */
export const REFUSED = 2;

export interface Program<Schema extends z.ZodObject> extends ConfigSource<Schema> {
  name: string;
  /** One line for `--help`. */
  summary: string;
}

/** What the environment configures. Undefined if the process has nothing more to do: it was asked, or refuses. */
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
