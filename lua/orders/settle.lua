-- Settles a claimed order once: the outcome, the terminal `apply.result`, the record and the ack of the execute entry.
-- Invariants I3 and I4 (exactly one terminal result).
--
-- KEYS
--   order        HASH, the claim
--   unsettled    ZSET! of this symbol's claimed orders
--   unknown      SET! of this symbol's plans in doubt
--   plan         HASH, the plan's record
--   executes     STREAM! apply.execute
--   results      STREAM! apply.result
--   handed_over  HASH! plan id → its execute entry, until its order has an outcome
--   absent       ZSET! of this symbol's orders that ended by evidence of absence; they are queried for a while longer
--   absent_claims HASH! plan id → its claim, of all such orders
-- ARGV
--   plan_id      16 hex digits
--   attempt      the claimed attempt
--   outcome      EXECUTED REJECTED NOT_PLACED
--   reason       why not EXECUTED, or ''
--   detail       the exchange's message, or ''
--   order_id     the exchange's id, or ''
--   executed_qty decimal text, '' if nothing was executed
--   avg_price    decimal text, or ''
--   steps_results JSON for the result entry
--   group        consumer group of the execute entry
--   settled_sec  TTL of a settled claim
-- REPLY
--   SETTLED      outcome
--   REPLAYED     outcome: it was settled before; only the ack was written
--   NOT_CLAIMED  no such claim; nothing was changed
--@include shared/now.lua
--@include shared/absent.lua
--@include shared/result.lua
local order, unsettled, unknown, plan, executes, results, handed_over, absent, absent_claims = unpack(KEYS)
local plan_id, attempt, outcome, reason, detail, order_id, executed_qty = unpack(ARGV, 1, 7)
local avg_price, steps_results, group, settled_sec = unpack(ARGV, 8, 11)

local claim = redis.call('HMGET', order, 'state', 'attempt', 'symbol', 'entry_id', 'capped_by_venue', 'class')
local state, claimed_attempt, symbol, entry_id, capped_by_venue, class = unpack(claim)
local record = redis.call('HMGET', plan, 'attempt', 'wait_ms', 'safe_qty')
local is_current = record[1] == attempt

if not state or claimed_attempt ~= attempt then return { 'NOT_CLAIMED' } end
if state ~= 'SENT' and state ~= 'UNKNOWN' then
  if entry_id then redis.call('XACK', executes, group, entry_id) end
  return { 'REPLAYED', outcome_of(state) }
end

local now = now_ms()
redis.call('HDEL', order, 'next_ask_at_ms', 'asked', 'absent_at_ms')
-- A stream that cannot be written fails here, and the order stays unsettled.
local result_id = add_result(results, now, plan_id, symbol, 'EXECUTE', outcome == 'EXECUTED', false, steps_results, reason,
  with_class(with_wait(with_cap({ 'attempt', attempt, 'outcome', outcome, 'reason', reason, 'detail', detail,
    'order_id', order_id, 'executed_qty', executed_qty, 'avg_price', avg_price },
    outcome == 'EXECUTED' and capped_by_venue),
    is_current and record[2], record[3]), class))
redis.call('ZREM', unsettled, plan_id)
redis.call('SREM', unknown, plan_id)
redis.call('HDEL', handed_over, plan_id)
redis.call('HSET', order, 'state', outcome == 'NOT_PLACED' and UNPLACED or outcome, 'reason', reason, 'detail', detail, 'order_id', order_id,
  'executed_qty', executed_qty, 'avg_price', avg_price, 'settled_at_ms', int(now), 'result_id', result_id)
redis.call('EXPIRE', order, settled_sec)
if is_current then
  redis.call('HSET', plan, 'state', outcome, 'reason', reason, 'detail', detail, 'order_id', order_id,
    'executed_qty', executed_qty, 'ended_at_ms', int(now))
end
if ended_absent(outcome, reason) then
  redis.call('ZADD', absent, int(now), plan_id)
  redis.call('HSET', absent_claims, plan_id, cjson.encode(redis.call('HGETALL', order)))
end
redis.call('XACK', executes, group, entry_id)
return { 'SETTLED', outcome }
