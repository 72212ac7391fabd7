/** Latencies in an HDR histogram. Source: Node's own HdrHistogram, https://nodejs.org/api/perf_hooks.html. */
import { createHistogram } from "node:perf_hooks";

/** In ms. */
export interface Percentiles {
  count: number;
  p50: number;
  p90: number;
  p99: number;
  p999: number;
  max: number;
}

const US_PER_MS = 1000;
/** Significant figures; gives an error below 0.1 %. */
const FIGURES = 3;
/** No case runs longer than ten minutes. */
const HIGHEST_US = 600_000_000;

export class Latency {
  readonly #histogram = createHistogram({ lowest: 1, highest: HIGHEST_US, figures: FIGURES });

  /** Values below 1 µs count as 1 µs. */
  record(ms: number): void {
    this.#histogram.record(Math.max(1, Math.round(ms * US_PER_MS)));
  }

  percentiles(): Percentiles {
    const at = (percent: number) => this.#histogram.percentile(percent) / US_PER_MS;
    const { count } = this.#histogram;
    if (count === 0) return { count: 0, p50: NaN, p90: NaN, p99: NaN, p999: NaN, max: NaN };
    return { count, p50: at(50), p90: at(90), p99: at(99), p999: at(99.9), max: at(100) };
  }
}
