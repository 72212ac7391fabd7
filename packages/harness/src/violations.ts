/**
 * What a service's configuration is refused for; none if it is taken.
 * @param read reads it, and throws a `ConfigError`
 */
export function violationsOf(read: () => unknown): readonly string[] {
  try {
    read();
    return [];
  } catch (error) {
    if (error instanceof Error && "violations" in error) return error.violations as readonly string[];
    throw error;
  }
}
