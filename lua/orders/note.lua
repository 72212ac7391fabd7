-- Notes the exchange's answer about an order, and when to query next. Absence is the time between answers that report no such
-- order. An interval counts only as far as both Redis's clock and the querying process's monotonic clock saw it pass, so a
-- step of the one or a restart of the other makes the proof longer, never shorter.
--
-- KEYS
--   order        HASH, the claim
-- ARGV
--   attempt      the claimed attempt
--   answer       absent: no such order, asked after its send window; there: it exists and is open; none: neither
--   elapsed_ms   since this process's previous query that was answered `absent`, 0 without one
--   absence_ms   how long it must be absent
--   pause_ms     when to query next, unless absence may be long enough before
-- REPLY
--   OPEN         ms until the next query, ms of absence
--   ABSENT       ms until the next query, ms of absence: long enough
--   SETTLED      it was settled meanwhile, or is not claimed
--@include shared/now.lua
--@include shared/absent.lua
local order = KEYS[1]
local attempt, answer, elapsed_ms, absence_ms, pause_ms = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[5])

local state, claimed_attempt, reason, absent_at, absent_ms =
  unpack(redis.call('HMGET', order, 'state', 'attempt', 'reason', 'absent_at_ms', 'absent_ms'))
local is_late = ended_absent(state, reason)
local is_open = state == 'SENT' or state == 'UNKNOWN'
if claimed_attempt ~= attempt or not (is_open or is_late) then return { 'SETTLED' } end

-- A shorter pause would only repeat the query for the few milliseconds by which two clocks differ.
local SHORTEST_PAUSE_MS = 20
local now = now_ms()
local absent = tonumber(absent_ms or '0')
if is_open and answer == 'absent' then
  if absent_at then absent = absent + math.max(0, math.min(now - tonumber(absent_at), elapsed_ms)) end
  redis.call('HSET', order, 'absent_at_ms', int(now), 'absent_ms', int(absent))
  if absent < absence_ms then pause_ms = math.max(SHORTEST_PAUSE_MS, math.min(pause_ms, absence_ms - absent)) end
elseif answer == 'there' then
  absent = 0
  redis.call('HDEL', order, 'absent_at_ms', 'absent_ms')
end
redis.call('HSET', order, 'next_ask_at_ms', int(now + pause_ms))
local long_enough = is_open and answer == 'absent' and absent >= absence_ms
if long_enough then return { 'ABSENT', int(pause_ms), int(absent) } end
return { 'OPEN', int(pause_ms), int(absent) }
