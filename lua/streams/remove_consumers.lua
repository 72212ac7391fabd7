-- Removes a group's unused consumers: idle for long and with nothing pending. Removing one with pending entries would lose
-- them, so this is checked in the same step.
--
-- KEYS
--   stream       the stream
-- ARGV
--   group        consumer group
--   keep         a consumer that is never removed: the caller
--   idle_ms      how long a consumer must have been idle
-- REPLY
--   REMOVED      names of the removed consumers, possibly none
local stream = KEYS[1]
local group, keep, idle = ARGV[1], ARGV[2], tonumber(ARGV[3])

local removable = {}
for _, flat in ipairs(redis.call('XINFO', 'CONSUMERS', stream, group)) do
  local consumer = {}
  for i = 1, #flat, 2 do consumer[flat[i]] = flat[i + 1] end
  if consumer.pending == 0 and consumer.idle >= idle and consumer.name ~= keep then
    removable[#removable + 1] = consumer.name
  end
end
for _, name in ipairs(removable) do redis.call('XGROUP', 'DELCONSUMER', stream, group, name) end
return { 'REMOVED', unpack(removable) }
