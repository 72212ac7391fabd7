-- Adopts an order that shows up after it was settled as not placed by evidence: writes a second result that corrects the
-- first one, once. Limits and ledger count it without a reservation. Invariants I3 and I4 (one terminal result, and at most
-- one correction of it).
--
-- KEYS
--   order        HASH, the claim
--   absent       ZSET! of this symbol's orders that ended by evidence of absence
--   absent_claims HASH! plan id → its claim, of all such orders
--   plan         HASH, the plan's record
--   results      STREAM! apply.result
-- ARGV
--   plan_id      16 hex digits
--   attempt      the claimed attempt
--   detail       the exchange's message, or ''
--   order_id     the exchange's id
--   executed_qty decimal text
--   avg_price    decimal text
--   steps_results JSON for the result entry
--   settled_sec  TTL of a settled claim
-- REPLY
--   ADOPTED      id of the result that is corrected
--   REPLAYED     it was adopted before; nothing was changed
--   NOT_ABSENT   no such claim ended by evidence of absence; nothing was changed
--@include shared/now.lua
--@include shared/absent.lua
--@include shared/result.lua
local order, absent, absent_claims, plan, results = unpack(KEYS)
local plan_id, attempt, detail, order_id, executed_qty, avg_price, steps_results, settled_sec = unpack(ARGV)

local claim = redis.call('HMGET', order, 'state', 'attempt', 'reason', 'symbol', 'result_id', 'corrected_at_ms',
  'capped_by_venue', 'class')
local state, claimed_attempt, reason, symbol, result_id, corrected_at, capped_by_venue, class = unpack(claim)
local record = redis.call('HMGET', plan, 'attempt', 'wait_ms', 'safe_qty')
local is_current = record[1] == attempt

if claimed_attempt ~= attempt then return { 'NOT_ABSENT' } end
if corrected_at then return { 'REPLAYED' } end
if not ended_absent(state, reason) then return { 'NOT_ABSENT' } end

local now = now_ms()
redis.call('HDEL', order, 'next_ask_at_ms')
-- A stream that cannot be written fails here, and the order stays uncorrected.
add_result(results, now, plan_id, symbol, 'EXECUTE', true, false, steps_results, '',
  with_class(with_wait(with_cap({ 'attempt', attempt, 'outcome', 'EXECUTED', 'reason', '', 'detail', detail,
    'order_id', order_id, 'executed_qty', executed_qty, 'avg_price', avg_price, 'corrects', result_id }, capped_by_venue),
    is_current and record[2], record[3]), class))
redis.call('ZREM', absent, plan_id)
redis.call('HDEL', absent_claims, plan_id)
redis.call('HSET', order, 'state', 'EXECUTED', 'reason', '', 'detail', detail, 'order_id', order_id,
  'executed_qty', executed_qty, 'avg_price', avg_price, 'corrected_at_ms', int(now))
redis.call('EXPIRE', order, settled_sec)
if is_current then
  redis.call('HSET', plan, 'state', 'EXECUTED', 'reason', '', 'detail', detail, 'order_id', order_id,
    'executed_qty', executed_qty, 'corrected_at_ms', int(now))
end
return { 'ADOPTED', result_id }
