/**
 * Runs a task when all handlers of this turn of the event loop have run, before anything is waited for: a tick that a
 * microtask asks for comes when no microtask is left.
 */
export function atEndOfTurn(task: () => void): void {
  queueMicrotask(() => process.nextTick(task));
}
