-- Halts all permits and orders at once, until an operator deletes both keys. The undated key has no TTL; the dated one is the
-- one that operators of the Python governor know. A disarm that is already in force keeps its first reason.
--
-- KEYS
--   disarm       STRING JSON
--   disarm_today STRING JSON, of the caller's UTC day
--   events       STREAM governor.events
-- ARGV
--   reason       why
--   context_json what led to it
--   today_sec    TTL of the dated key
-- REPLY
--   DISARMED     the keys and the event are there
--   ALREADY      a disarm is in force; nothing was changed
--@include shared/now.lua
--@include shared/json.lua
-- No group reads this stream, so the writer trims it.
local EVENTS_KEPT = 10000
local disarm, disarm_today, events = KEYS[1], KEYS[2], KEYS[3]
local reason, context_json, today_sec = ARGV[1], ARGV[2], ARGV[3]

if redis.call('EXISTS', disarm) == 1 then return { 'ALREADY' } end

local timestamp = string.format('%.3f', now_ms() / 1000)
local body = '{"reason": ' .. quoted(reason) .. ', "context": ' .. context_json .. ', "timestamp": ' .. timestamp .. '}'
redis.call('SET', disarm, body)
redis.call('SET', disarm_today, body, 'EX', today_sec)
redis.call('XADD', events, 'MAXLEN', '~', EVENTS_KEPT, '*', 'event', 'AUTO_DISARM', 'reason', reason, 'context', context_json,
  'timestamp', timestamp, 'action_taken', 'disarmed')
return { 'DISARMED' }
