/**
 * The parts of an error that are safe to log. Libraries attach the failed request with its contents: ioredis attaches
 * the command's arguments, which may include a password.
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
