/** The machine's monotonic clock in fractional ms. Unlike `performance.now()`, it is the same in every process. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
