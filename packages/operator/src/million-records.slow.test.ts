/** Queries of operators where Redis remembers a day of a busy pipeline. */
import { patienceMs } from "@quantum/harness";
import { useRedis } from "@quantum/harness/vitest";
import { beforeAll, expect, it, vi } from "vitest";
import { accessAs, keys, planIdOf } from "./access.fixture.ts";
import { followEnds } from "./follow-ends.ts";
import { OverviewMemory, readOverview } from "./overview.ts";
import { searchPlans } from "./search-plans.ts";
import { viewPlan } from "./view-plan.ts";

const PLANS = 1_000_000;
const CHUNK = 20_000;
const STREAM = 10_000;
const WITHIN_MS = 200;
const FILL_MS = 180_000;
const TRIES = 20;

const { redis, server } = await useRedis();
const access = accessAs("viewer", server.url);

/** Records as the scripts leave them. A thousand plans a second, the last ones in the streams. */
const FILL = `
local from, to, plans, streamed = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local function int(n) return string.format('%d', n) end
for n = from, to do
  local id, at = string.format('%016x', n), tonumber(ARGV[5]) + n
  local attempt, entry, result = int(at) .. '-0', int(at + 3) .. '-0', int(at + 9) .. '-0'
  redis.call('HSET', ARGV[6] .. id, 'state', 'EXECUTED', 'symbol', 'BTCUSDT', 'attempt', attempt, 'attempt_no', '1',
    'opened_at_ms', int(at), 'deadline_ms', int(at + 1200), 'governor_verdict', 'granted', 'governor_at_ms', int(at + 1),
    'p33_verdict', 'granted', 'p33_at_ms', int(at + 2), 'wait_ms', '3', 'safe_qty', '0.1', 'ended_at_ms', int(at + 9))
  if n > plans - streamed then
    redis.call('XADD', KEYS[1], attempt, 'plan_id', id, 'symbol', 'BTCUSDT', 'action', 'PARTIAL_75', 'kill_score', '0.5',
      'k_regime_flip', '0.0', 'k_sigma_spike', '0.0', 'k_ts_drop', '0.0', 'k_age_penalty', '0.0', 'new_sl_proposed', '',
      'R_net', '1.0', 'decision', 'EXECUTE', 'reason_codes', '', 'steps', '[{"step": "CLOSE_PARTIAL_75", "pct": 75.0}]',
      'close_qty', '0.0', 'price', '', 'timestamp', '1769301000', 'attempt_no', '1', 'mode', 'paper',
      'deadline_ms', int(at + 1200))
    for i, issuer in ipairs({ 'governor', 'p33' }) do
      redis.call('XADD', KEYS[2], int(at + 2) .. '-' .. i, 'plan_id', id, 'symbol', 'BTCUSDT', 'issuer', issuer,
        'verdict', 'granted', 'reason', 'within_limits', 'issued_at_ms', int(at + i), 'attempt', attempt, 'answers', int(i))
    end
    redis.call('XADD', KEYS[3], entry, 'plan_id', id, 'symbol', 'BTCUSDT', 'attempt', attempt, 'wait_ms', '3', 'safe_qty', '0.1')
    redis.call('XADD', KEYS[4], result, 'plan_id', id, 'symbol', 'BTCUSDT', 'decision', 'EXECUTE', 'executed', 'True',
      'steps_results', '[]', 'error', '', 'timestamp', '1769301000', 'attempt', attempt, 'outcome', 'EXECUTED', 'wait_ms', '3')
  end
end`;

beforeAll(async () => {
  const { plan, permit, execute, result } = keys.streams;
  const startMs = Date.now() - PLANS - 60_000;
  for (let from = 1; from <= PLANS; from += CHUNK)
    await redis.eval(
      FILL,
      ...([4, plan, permit, execute, result] as const),
      ...[from, from + CHUNK - 1, PLANS, STREAM, startMs, keys.plan("")],
    );
}, FILL_MS);

/** The median, in ms, so that one pause of this machine does not count. */
async function timeOf(work: (n: number) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let n = 0; n < TRIES; n += 1) {
    const from = performance.now();
    await work(n);
    times.push(performance.now() - from);
  }
  const median = times.toSorted((a, b) => a - b)[TRIES / 2] ?? Number.NaN;
  console.info(`median ${median.toFixed(0)} ms, longest ${Math.max(...times).toFixed(0)} ms`);
  return median;
}

it.each([
  ["a plan of today, whose entries have been trimmed", (n: number) => PLANS / 2 + n],
  ["a plan whose entries are in the streams", (n: number) => PLANS - n * 400],
])("%s is found within 200 ms", async (_, numberOf) => {
  expect(await viewPlan(access, planIdOf(numberOf(1)))).toMatchObject({ conclusion: { state: "EXECUTED" } });
  expect(await timeOf((n) => viewPlan(access, planIdOf(numberOf(n))))).toBeLessThan(patienceMs(WITHIN_MS));
});

it("the first screen goes neither through all records nor through the streams again and again", async () => {
  const memory = new OverviewMemory();
  const stop = new AbortController();
  const following = followEnds(access, memory.tally, () => undefined, stop.signal);
  await vi.waitFor(() => expect(memory.tally.lastOk?.planId).toBe(planIdOf(PLANS)));
  await readOverview(access, memory);
  expect(await timeOf(() => readOverview(access, memory))).toBeLessThan(patienceMs(WITHIN_MS));
  stop.abort();
  await following;
});

it("a search that finds nothing ends within its second, or at the end of the stream", async () => {
  const from = performance.now();
  const { rows } = await searchPlans(access, { reason: "no such reason" });
  expect(rows).toEqual([]);
  expect(performance.now() - from).toBeLessThan(patienceMs(2_000));
});
