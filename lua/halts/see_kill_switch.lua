-- Marks in a partition what the wire's kill switch, which lies in another slot, was read as. The mark's time is the partition's,
-- from before that read. So a mark never looks newer than what it says, however late it is written, and one that is written
-- after a newer one changes nothing: a watcher that was stopped in between cannot end what others have seen.
--
-- KEYS
--   kill_switch_seen STRING, `<ms> running` or `<ms> halted`
-- ARGV
--   word         running or halted
--   asked_ms     this Redis's time, asked before the kill switch was read
-- REPLY
--   SEEN         the mark is there
--   OLDER        there is a mark of a later read; nothing was changed
--@include shared/now.lua
local kill_switch_seen = KEYS[1]
local word, asked_ms = ARGV[1], ARGV[2]

-- One that cannot be read is replaced, and so is one from the future: the clock has stepped back since.
local before = redis.pcall('GET', kill_switch_seen)
local before_ms = type(before) == 'string' and tonumber(before:match('^(%d+) '))
if before_ms and before_ms <= now_ms() and before_ms >= tonumber(asked_ms) then return { 'OLDER' } end

redis.call('DEL', kill_switch_seen)
redis.call('SET', kill_switch_seen, asked_ms .. ' ' .. word)
return { 'SEEN' }
