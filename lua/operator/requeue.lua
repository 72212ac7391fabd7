-- Returns a dead letter to the one group that gave it up: the entry itself becomes pending again, under its own id, and the
-- group's consumers reclaim it like an entry of a dead replica. A copy would be delivered to every group, and as a new entry:
-- another attempt of a plan, a second result of an order.
--
-- KEYS
--   stream       the entry's stream
--   dead         the dead-letter stream
--   audit        STREAM! operator.audit
-- ARGV
--   dead_id      of the dead letter
--   who          user@host
--   reason       why
--   consumer     under whose name it is pending until it is taken over
--   idle_ms      idle time that it is given: longer than consumers wait before they reclaim
-- REPLY
--   REQUEUED     the dead letter is gone, its entry pending
--   NOT_FOUND    no such dead letter of this stream
--   TRIMMED      the entry is no longer in its stream; nothing was changed
--@include shared/now.lua
--@include shared/json.lua
--@include shared/audit.lua
local stream, dead, audit = KEYS[1], KEYS[2], KEYS[3]
local dead_id, who, reason, consumer, idle_ms = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local found = redis.call('XRANGE', dead, dead_id, dead_id)[1]
local letter = {}
for i = 1, found and #found[2] or 0, 2 do letter[found[2][i]] = found[2][i + 1] end
if letter.stream ~= stream then return { 'NOT_FOUND' } end
if #redis.call('XRANGE', stream, letter.entry_id, letter.entry_id) == 0 then return { 'TRIMMED' } end

-- Fails before anything is written if the group is gone.
redis.call('XCLAIM', stream, letter.group, consumer, 0, letter.entry_id, 'IDLE', idle_ms, 'RETRYCOUNT', 0, 'FORCE', 'JUSTID')
add_audit(audit, now_ms(), 'dlq.requeue', dead_id, who, reason,
  '{"stream": ' .. quoted(stream) .. ', "group": ' .. quoted(letter.group) .. ', "entry_id": ' .. quoted(letter.entry_id) .. '}')
redis.call('XDEL', dead, dead_id)
return { 'REQUEUED' }
