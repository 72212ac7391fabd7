import { endProcess, spawnGuarded } from "@quantum/harness";

/** Starts processes that use a core each. @returns ends them; they end with this process, too */
export async function startHogs(count: number): Promise<() => Promise<void>> {
  const starts = Array.from({ length: count }, () =>
    spawnGuarded(process.execPath, ["--eval", "for (;;);"], { env: {} }),
  );
  const hogs = await Promise.all(starts);
  return async () => {
    await Promise.all(hogs.map((hog) => endProcess(hog, "SIGKILL")));
  };
}
