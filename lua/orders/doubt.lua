-- Marks a claimed order UNKNOWN: the exchange's answer was ambiguous, so only evidence may settle it. `unknown` blocks the
-- symbol. From here on the index of unsettled orders drives the resolution, so the entry is acknowledged.
--
-- KEYS
--   order        HASH, the claim
--   unknown      SET! of this symbol's plans in doubt
--   plan         HASH, the plan's record
--   executes     STREAM! apply.execute
-- ARGV
--   plan_id      16 hex digits
--   attempt      the claimed attempt
--   why          the ambiguous answer
--   group        consumer group of the execute entry
--   entry_id     of the execute entry
-- REPLY
--   UNKNOWN      the order is in doubt
--   SETTLED      outcome: it was settled meanwhile; the entry is acknowledged
--   NOT_CLAIMED  no such claim; nothing was changed
--@include shared/now.lua
--@include shared/absent.lua
local order, unknown, plan, executes = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local plan_id, attempt, why, group, entry_id = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local state, claimed_attempt = unpack(redis.call('HMGET', order, 'state', 'attempt'))
local is_current = redis.call('HGET', plan, 'attempt') == attempt

if not state or claimed_attempt ~= attempt then return { 'NOT_CLAIMED' } end
if state ~= 'SENT' and state ~= 'UNKNOWN' then
  redis.call('XACK', executes, group, entry_id)
  return { 'SETTLED', outcome_of(state) }
end
redis.call('HSET', order, 'state', 'UNKNOWN', 'why', why)
redis.call('HSETNX', order, 'unknown_at_ms', int(now_ms()))
redis.call('SADD', unknown, plan_id)
if is_current then redis.call('HSET', plan, 'state', 'UNKNOWN', 'reason', why) end
redis.call('XACK', executes, group, entry_id)
return { 'UNKNOWN' }
