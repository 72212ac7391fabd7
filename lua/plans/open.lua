-- Opens one attempt of a plan: the dedupe mark, the record, the deadline and the `apply.plan` entry, or, for a plan that
-- may not even wait, the entry and its terminal result. A second run finds the first one's dedupe mark: DUPLICATE.
-- The kill switch is the first gate and the disarm follows the plan's own gates, so both are read here, in the same
-- step that publishes. Invariants I4 (one result) and, through `spent` and `order`, I1 (one order).
--
-- KEYS
--   plan         HASH, the plan's record
--   dedupe       STRING
--   published    STRING
--   spent        STRING, which attempt spent permits
--   order        HASH, the executor's claim
--   waiting      ZSET of this symbol's waiting plans
--   plans        STREAM apply.plan
--   results      STREAM apply.result
--   kill_switch  STRING
--   disarm       STRING
--   disarm_today STRING
--   ...left      permit and block keys that an earlier attempt may have left
-- ARGV
--   plan_id      16 hex digits
--   symbol       BTCUSDT
--   decision     EXECUTE SKIP BLOCKED ERROR
--   reason       why not EXECUTE, or ''
--   mode         dry_run paper testnet
--   wait_ms      how long the plan may wait for permits
--   dedupe_sec   how long the plan id is taken
--   published_sec TTL of `published`
--   record_sec   TTL of the record
--   step         CLOSE_PARTIAL_75, or ''
--   close_pct    75, or ''
--   proposed_ms  when the proposal was made, by its publisher's clock, or '' if it does not say
--   ...entry     the entry's fields and values, in wire order up to `timestamp`
-- REPLY
--   OPENED       attempt, attempt number, deadline (ms), now (ms): the plan waits for its permits
--   ENDED        attempt, decision, reason: published together with its result
--   DUPLICATE    state of the record or 'unknown', attempt, deadline, now: nothing was changed
--@include shared/now.lua
--@include shared/halted.lua
--@include shared/order_possible.lua
--@include shared/result.lua
local plan, dedupe, published, spent, order, waiting = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local plans, results, kill_switch, disarm, disarm_today = KEYS[7], KEYS[8], KEYS[9], KEYS[10], KEYS[11]
local plan_id, symbol, decision, reason, mode = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local wait_ms, dedupe_sec, published_sec, record_sec = tonumber(ARGV[6]), ARGV[7], ARGV[8], ARGV[9]
local step, close_pct, proposed_ms = ARGV[10], ARGV[11], tonumber(ARGV[12])
local FIRST_ENTRY_ARG = 13

-- A key of the wrong type fails here, before anything is written.
local now = now_ms()
local record = redis.call('HMGET', plan, 'state', 'attempt', 'deadline_ms')
redis.call('ZCARD', waiting)
redis.call('XLEN', plans)
redis.call('XLEN', results)
local order_attempt_no = redis.call('HGET', order, 'attempt_no')
local has_order = order_possible(spent, order)

-- An attempt that waits gets its result first, however short the dedupe mark lives.
local waits = record[1] == 'WAITING'
if waits or redis.call('EXISTS', dedupe) == 1 or has_order then
  return { 'DUPLICATE', record[1] or 'unknown', record[2] or '', record[3] or '', int(now) }
end

local halt = halted(kill_switch, disarm, disarm_today)
if halt == 'kill_switch_active' or (halt and decision == 'EXECUTE') then decision, reason = 'BLOCKED', halt end

local attempt_no = order_attempt_no and int(tonumber(order_attempt_no) + 1) or '1'
local deadline = int(now + wait_ms)
local entry = { unpack(ARGV, FIRST_ENTRY_ARG) }
for i = 1, #entry, 2 do
  if entry[i] == 'decision' then entry[i + 1] = decision end
  if entry[i] == 'reason_codes' then entry[i + 1] = reason end
  if entry[i] == 'timestamp' then entry[i + 1] = int(math.floor(now / 1000)) end
end

redis.call('DEL', plan, unpack(KEYS, 12))
redis.call('SET', dedupe, int(math.floor(now / 1000)), 'EX', dedupe_sec)
redis.call('SET', published, '1', 'EX', published_sec)
local fields = { 'attempt_no', attempt_no, 'mode', mode }
if decision == 'EXECUTE' then
  fields[#fields + 1] = 'deadline_ms'
  fields[#fields + 1] = deadline
end
for i = 1, #fields do entry[#entry + 1] = fields[i] end
local attempt = redis.call('XADD', plans, '*', unpack(entry))
local state = decision == 'EXECUTE' and 'WAITING' or decision
redis.call('HSET', plan, 'state', state, 'symbol', symbol, 'mode', mode, 'step', step, 'close_pct', close_pct,
  'attempt', attempt, 'attempt_no', attempt_no, 'opened_at_ms', int(now),
  'proposed_ms', int(math.min(proposed_ms or now, now)))
redis.call('EXPIRE', plan, record_sec)
if decision == 'EXECUTE' then
  redis.call('HSET', plan, 'deadline_ms', deadline)
  redis.call('ZADD', waiting, deadline, plan_id)
  return { 'OPENED', attempt, attempt_no, deadline, int(now) }
end
redis.call('HSET', plan, 'reason', reason, 'ended_at_ms', int(now))
add_result(results, now, plan_id, symbol, decision, false, false, '[]', decision == 'SKIP' and '' or reason,
  { 'attempt', attempt, 'outcome', decision, 'reason', reason })
return { 'ENDED', attempt, decision, reason }
