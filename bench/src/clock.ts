/** The machine's monotonic clock, in ms with fractions: the same for every process, unlike `performance.now()`. */
export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
