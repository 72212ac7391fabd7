-- Records a pause that the exchange asked for: until it ends, no service sends a request, even after a restart. The longest
-- one counts. It ends with the key's TTL, by Redis's clock.
--
-- KEYS
--   pause        STRING JSON {"reason", "since_ms", "pause_ms"}, or {"resumed_ms"} where an operator has just ended one
-- ARGV
--   pause_ms     how long from now
--   reason       the exchange's message
-- REPLY
--   PAUSED       the pause is now in force
--   LONGER       ms left: a longer one is in force; nothing was changed
--@include shared/now.lua
--@include shared/json.lua
local pause = KEYS[1]
local pause_ms, reason = tonumber(ARGV[1]), ARGV[2]

-- A key of the wrong type is replaced, like an expired one.
local before = redis.pcall('GET', pause)
local left = type(before) == 'string' and before:find('"reason"', 1, true) and redis.call('PTTL', pause) or 0
-- A TTL longer than the requested pause was written while the clock was ahead.
left = math.min(left, tonumber(type(before) == 'string' and before:match('"pause_ms": (%d+)}$') or left))
if left > pause_ms then return { 'LONGER', int(left) } end
redis.call('SET', pause, '{"reason": ' .. quoted(reason) .. ', "since_ms": ' .. int(now_ms()) .. ', "pause_ms": ' .. int(pause_ms) .. '}', 'PX', int(pause_ms))
return { 'PAUSED' }
