-- Deletes a dead letter.
--
-- KEYS
--   dead         the dead-letter stream
--   audit        STREAM! operator.audit
-- ARGV
--   dead_id      of the dead letter
--   who          user@host
--   reason       why
--   detail       JSON: the letter, as the operator saw it
-- REPLY
--   DROPPED      it is gone
--   NOT_FOUND    no such dead letter; nothing was changed
--@include shared/now.lua
--@include shared/audit.lua
local dead, audit = KEYS[1], KEYS[2]
local dead_id, who, reason, detail = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

if #redis.call('XRANGE', dead, dead_id, dead_id) == 0 then return { 'NOT_FOUND' } end
add_audit(audit, now_ms(), 'dlq.drop', dead_id, who, reason, detail)
redis.call('XDEL', dead, dead_id)
return { 'DROPPED' }
