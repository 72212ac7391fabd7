-- Claims the one order of a plan before anything is sent: the client order id and the send window stand in Redis first,
-- so whatever happens to the sender, the exchange can be asked. Refusals end the attempt as NOT_PLACED, with result and
-- ack, in the same step. Invariants I1 (one order a plan), I3 (one result), I6 (nothing late, nothing under a halt).
--
-- KEYS
--   order        HASH, the claim; no TTL until settled
--   unsettled    ZSET of this symbol's claimed orders
--   plan         HASH, the plan's record
--   spent        STRING: which attempt spent permits
--   kill_switch  STRING
--   disarm       STRING
--   disarm_today STRING
--   executes     STREAM apply.execute
--   results      STREAM apply.result
-- ARGV
--   plan_id      16 hex digits
--   symbol       BTCUSDT
--   attempt      the attempt that spent the permits
--   attempt_no   its number, part of the client order id
--   group        consumer group of the execute entry
--   entry_id     of the execute entry
--   client_order_id for the exchange
--   side         BUY SELL
--   quantity     decimal text
--   step         CLOSE_FULL
--   valid_until_ms after this nothing is claimed
--   window_ms    longest receive window of the exchange
--   refusal      why the caller cannot place it at all, or ''
--   settled_sec  TTL of a settled claim
-- REPLY
--   CLAIMED      now (ms), receive window (ms): send it, once
--   REFUSED      reason: settled as NOT_PLACED
--   HELD         state, client order id: this attempt was claimed before; ask the exchange, send nothing
--   SETTLED      outcome: this attempt has its result; the entry is acknowledged
--@include shared/now.lua
--@include shared/halted.lua
--@include shared/result.lua
local order, unsettled, plan, spent, kill_switch, disarm, disarm_today, executes, results = unpack(KEYS)
local plan_id, symbol, attempt, attempt_no, group, entry_id, client_order_id = unpack(ARGV, 1, 7)
local side, quantity, step, valid_until, window_ms, refusal, settled_sec = unpack(ARGV, 8, 14)

local now = now_ms()
local claim = redis.call('HMGET', order, 'state', 'attempt', 'client_order_id')
local state, claimed_attempt = claim[1], claim[2]
local TERMINAL = { EXECUTED = true, REJECTED = true, NOT_PLACED = true }
if state and claimed_attempt == attempt then
  if not TERMINAL[state] then return { 'HELD', state, claim[3] } end
  redis.call('XACK', executes, group, entry_id)
  return { 'SETTLED', state }
end

local window = math.min(tonumber(window_ms), tonumber(valid_until) - now)
local other_order = state and state ~= 'NOT_PLACED'
local spent_attempt = (redis.call('GET', spent) or ''):match('^OK (%S+)')
local reason = other_order and 'duplicate_order'
  or spent_attempt ~= attempt and 'permits_not_spent'
  or halted(kill_switch, disarm, disarm_today)
  or window <= 0 and 'execute_expired'
  or refusal ~= '' and refusal

if reason then
  -- Another attempt's order is not ours to overwrite, and an attempt that spent nothing may not free the plan.
  if reason ~= 'duplicate_order' and reason ~= 'permits_not_spent' then
    redis.call('DEL', order)
    redis.call('HSET', order, 'state', 'NOT_PLACED', 'reason', reason, 'plan_id', plan_id, 'symbol', symbol,
      'attempt', attempt, 'attempt_no', attempt_no, 'settled_at_ms', int(now))
    redis.call('EXPIRE', order, settled_sec)
  end
  if redis.call('HGET', plan, 'attempt') == attempt then
    redis.call('HSET', plan, 'state', 'NOT_PLACED', 'reason', reason, 'ended_at_ms', int(now))
  end
  add_result(results, now, plan_id, symbol, 'EXECUTE', false, false, '[]', reason,
    { 'attempt', attempt, 'outcome', 'NOT_PLACED', 'reason', reason })
  redis.call('XACK', executes, group, entry_id)
  return { 'REFUSED', reason }
end

redis.call('DEL', order)
redis.call('HSET', order, 'state', 'SENT', 'plan_id', plan_id, 'symbol', symbol, 'attempt', attempt,
  'attempt_no', attempt_no, 'client_order_id', client_order_id, 'side', side, 'quantity', quantity, 'step', step,
  'claimed_at_ms', int(now), 'window_end_ms', int(now + window), 'entry_id', entry_id)
redis.call('ZADD', unsettled, int(now), plan_id)
if redis.call('HGET', plan, 'attempt') == attempt then
  redis.call('HSET', plan, 'state', 'SENT', 'sent_at_ms', int(now), 'client_order_id', client_order_id)
end
return { 'CLAIMED', int(now), int(window) }
