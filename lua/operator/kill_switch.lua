-- Turns the kill switch on or off.
--
-- KEYS
--   kill_switch  STRING
--   audit        STREAM! operator.audit
-- ARGV
--   value        what it is set to, '' to delete it
--   who          user@host
--   reason       why
-- REPLY
--   CHANGED      it now has that value
--   UNCHANGED    it already had that value; nothing was written
--@include shared/now.lua
--@include shared/json.lua
--@include shared/audit.lua
local kill_switch, audit = KEYS[1], KEYS[2]
local value, who, reason = ARGV[1], ARGV[2], ARGV[3]

-- A key that cannot be read halts as well, so it is replaced like any other value.
local before = redis.pcall('GET', kill_switch)
if type(before) == 'table' then before = 'not text' end
-- The empty text halts like any other; '' stands for no key.
if before == '' then before = 'empty' end
if (before or '') == value then return { 'UNCHANGED' } end

local on = value ~= ''
redis.call('DEL', kill_switch)
if on then redis.call('SET', kill_switch, value) end
add_audit(audit, now_ms(), on and 'kill.on' or 'kill.off', 'kill_switch', who, reason,
  '{"before": ' .. quoted(before or '') .. '}')
return { 'CHANGED' }
