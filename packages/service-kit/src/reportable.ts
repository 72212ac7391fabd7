/**
 * What a log may hold of an error. Libraries hang the failed request on theirs, with what it carried: ioredis the
 * arguments of the command, a password among them.
 */
export function reportable(error: unknown): unknown {
  if (!(error instanceof Error)) return typeof error === "object" ? undefined : error;
  const { name, message, stack, cause } = error;
  const code = "code" in error ? error.code : undefined;
  return {
    type: name,
    message,
    stack,
    ...(code === undefined ? {} : { code }),
    ...(cause === undefined ? {} : { cause: reportable(cause) }),
  };
}
