-- Ends the disarm that an operator was shown, not one that has come since.
--
-- KEYS
--   disarm       STRING JSON
--   disarm_today STRING JSON
--   audit        STREAM! operator.audit
-- ARGV
--   shown        value of `disarm` that was shown, '' if there was none
--   shown_today  the same for `disarm_today`
--   who          user@host
--   reason       why
-- REPLY
--   CLEARED      neither key is left
--   CHANGED      they are no longer what was shown; nothing was changed
--@include shared/now.lua
--@include shared/json.lua
--@include shared/audit.lua
local disarm, disarm_today, audit = KEYS[1], KEYS[2], KEYS[3]
local shown, shown_today, who, reason = ARGV[1], ARGV[2], ARGV[3], ARGV[4]

if (redis.call('GET', disarm) or '') ~= shown or (redis.call('GET', disarm_today) or '') ~= shown_today then
  return { 'CHANGED' }
end
add_audit(audit, now_ms(), 'disarm.clear', 'disarm', who, reason,
  '{"disarm": ' .. quoted(shown) .. ', "today": ' .. quoted(shown_today) .. '}')
redis.call('DEL', disarm, disarm_today)
return { 'CLEARED' }
