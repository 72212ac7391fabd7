/** The variables of every service, and what the kit reads of them. */
import { PYTHON_CONSUMER } from "@quantum/streams";
import { z } from "zod";
import { text } from "./config.ts";
import { type TracingConfig, tracingVariables } from "./tracing-config.ts";

export interface CommonConfig extends TracingConfig {
  HTTP_HOST: string;
  INSTANCE?: string | undefined;
}

export const commonVariables = {
  HTTP_HOST: text("address on which /healthz, /readyz and /metrics listen", "127.0.0.1"),
  INSTANCE: z
    .string()
    .refine((name) => !PYTHON_CONSUMER.test(name), "must not look like a Python service's consumer name")
    .optional()
    .describe("consumer name, unique per replica and stable across restarts [<service>@<host>:<port>]"),
  ...tracingVariables,
};
