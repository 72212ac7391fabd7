-- Ends a reservation whose plan has ended although this issuer received no result: the plan is no longer known, waits in
-- another attempt, or has its outcome and the result entry was lost. A reservation ends with its plan. It is kept while
-- its order may still be sent or is not settled. Safe to run twice.
--
-- KEYS
--   plan         HASH, the plan's record
--   handed_over  HASH plan id → its execute entry, until its order has an outcome
--   unsettled    ZSET of this symbol's claimed orders
--   open         HASH of the reservations of this issuer and symbol, see permits/reservations.lua
--   expiry       ZSET!
--   totals       HASH
--   executions   ZSET!
--   charges      HASH!
-- ARGV
--   plan_id      16 hex digits
--   attempt      whose reservation
--   charges      1 if the issuer's limits are charged with what was executed, else 0
--   result_ms    how long after the end a result may still arrive
--   fills_ms     the same, if an order was executed: its fills may show late, and the reservation stands for them until they do
-- REPLY
--   RELEASED     no order came of it
--   CHARGED      an order was executed: charged as it was reserved
--   KEPT         the plan has not ended, or not long enough ago; nothing was changed
--   GONE         no such reservation
--@include shared/now.lua
--@include shared/hash_table.lua
--@include permits/reservations.lua
local plan, handed_over, unsettled, open, expiry, totals, executions, charges = unpack(KEYS)
local plan_id, attempt, is_charging = ARGV[1], ARGV[2], ARGV[3] == '1'
local result_ms, fills_ms = tonumber(ARGV[4]), tonumber(ARGV[5])

local state, of_attempt, ended_at = unpack(redis.call('HMGET', plan, 'state', 'attempt', 'ended_at_ms'))
local reserved = redis.call('HGET', open, attempt)
local is_busy = redis.call('HEXISTS', handed_over, plan_id) == 1 or redis.call('ZCARD', unsettled) > 0
local sums = read_sums(totals, open, charges)
if not reserved then return { 'GONE' } end

local now = now_ms()
local is_current = state and of_attempt == attempt
local was_executed = is_current and state == 'EXECUTED'
local patience_ms = was_executed and fills_ms or result_ms
if is_busy or (is_current and not (ended_at and now - tonumber(ended_at) > patience_ms)) then return { 'KEPT' } end

release(sums, open, attempt, true)
remove(open, expiry, executions, attempt)
local is_charged = was_executed and is_charging
if is_charged then
  -- Under this name settle_reservation finds that it was charged, should the result come after all.
  charge(sums, totals, executions, charges, now, 'attempt:' .. attempt, math.min(tonumber(ended_at), now), cjson.decode(reserved))
end
write_sums(totals, sums)
if is_charged then return { 'CHARGED' } end
return { 'RELEASED' }
