-- Settles an attempt's reservation by its result: charged by what was really executed, released if no order came of
-- it. The ack of the result entry is part of the step and tells whether it was done before. A result that comes after
-- its reservation ran out is charged all the same.
--
-- KEYS
--   results      STREAM apply.result
--   open         reservations of this issuer and symbol, see permits/reservations.lua
--   expiry       ditto
--   totals       ditto
--   executions   ditto
-- ARGV
--   group        consumer group of the result entry
--   entry_id     of the result
--   attempt      whose reservation, or '' (a Python result names none)
--   amounts      JSON {name: integer} really executed, or '' if no order came of it
--   executed_ms  when it was executed
-- REPLY
--   SETTLED      reserved amounts were there 1/0
--   REPLAYED     this result had been settled; nothing was changed
--@include shared/now.lua
--@include permits/reservations.lua
local results, open, expiry, totals, executions = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local group, entry_id, attempt, amounts, executed_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])

if #redis.call('XPENDING', results, group, entry_id, entry_id, 1) == 0 then return { 'REPLAYED' } end

local now = now_ms()
local executed = amounts ~= '' and cjson.decode(amounts)
local today = utc_day(now)
-- Charged before: the group was lost and its stream is read again.
if executed and redis.call('HEXISTS', open, attempt) == 0 and redis.call('ZSCORE', executions, attempt) then
  redis.call('XACK', results, group, entry_id)
  return { 'REPLAYED' }
end
local was_reserved = drop(open, expiry, totals, attempt)
if attempt ~= '' then redis.call('ZREM', executions, attempt) end
if executed then
  redis.call('ZADD', executions, int(executed_ms), attempt ~= '' and attempt or entry_id)
  if redis.call('HGET', totals, 'day') ~= today then
    for name in pairs(executed) do redis.call('HDEL', totals, 'charged:' .. name) end
    redis.call('HSET', totals, 'day', today)
  end
  for name, amount in pairs(executed) do redis.call('HINCRBY', totals, 'charged:' .. name, int(amount)) end
end
redis.call('XACK', results, group, entry_id)
return { 'SETTLED', was_reserved and '1' or '0' }
