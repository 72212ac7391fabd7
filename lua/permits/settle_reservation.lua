-- Settles an attempt's reservation by its result: charges what was executed, or releases it if there was no order. The ack of
-- the result entry is part of the step and shows whether it ran before. A result that arrives after its reservation expired is
-- still charged; one of another day is not, because that day's limits no longer apply.
--
-- KEYS
--   results      STREAM apply.result
--   open         HASH of the reservations of this issuer and symbol, see permits/reservations.lua
--   expiry       ZSET!
--   totals       HASH
--   executions   ZSET
--   charges      HASH
--   booked       STRING, the plan's fate and when its result was written (ms): `executed` if it led to an order or may have,
--                and then every attempt is denied; `ended` if a plan without a record ended without an order, for the
--                issuing script, which may run after the result
-- ARGV
--   group        consumer group of the result entry
--   entry_id     of the result
--   attempt      whose reservation; the plan's id if the result names no attempt
--   amounts      JSON {name: whole number as text} that was executed, or '' if there was no order; the reserved amount is charged
--                for names that are missing
--   executed_ms  when it was executed
--   fate         executed, ended, or '' to record nothing
--   fate_sec     TTL of `booked`
-- REPLY
--   SETTLED      reserved amounts were there 1/0
--   REPLAYED     this result was settled before; only the ack and `booked` were written
--@include shared/now.lua
--@include shared/hash_table.lua
--@include permits/reservations.lua
local results, open, expiry, totals, executions, charges, booked = unpack(KEYS)
local group, entry_id, attempt, amounts, executed_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4], tonumber(ARGV[5])
local fate, fate_sec = ARGV[6], ARGV[7]

local sums = read_sums(totals, open, charges)
local executed = amounts ~= '' and cjson.decode(amounts)
if executed then redis.call('HLEN', charges) end
-- A later attempt without an order does not change a booked execution. An execution replaces any value.
local is_news = fate == 'executed' or fate == 'ended' and not (redis.call('GET', booked) or ''):find('^executed ')
-- Ids of two streams may be equal, so a result's id has a prefix.
local execution = 'result:' .. entry_id
-- The last one is the reservation itself: only some limits count it.
local by_result, by_attempt, counted_at = unpack(redis.call('ZMSCORE', executions, execution, 'attempt:' .. attempt, attempt))
local reserved = release(sums, open, attempt, executed or fate == 'executed')

if redis.call('XACK', results, group, entry_id) == 0 then return { 'REPLAYED' } end
if is_news then redis.call('SET', booked, fate .. ' ' .. entry_id:match('^%d+'), 'EX', fate_sec) end
-- Charged before: the group was lost and its stream is read again, or the result came long after its plan's end.
if executed and (by_result or by_attempt) then return { 'REPLAYED' } end

if reserved then remove(open, expiry, counted_at and executions, attempt) end
if executed then
  local now = now_ms()
  -- A writer's clock may be ahead, but an execution counts from now at the latest.
  executed_ms = math.min(executed_ms, now)
  if executed_ms >= horizon(now) then
    forget_executions(executions, charges, now)
    for name, amount in pairs(reserved or {}) do executed[name] = executed[name] or amount end
    charge(sums, totals, executions, charges, now, execution, executed_ms, executed)
  end
end
write_sums(totals, sums)
return { 'SETTLED', reserved and '1' or '0' }
