-- Ends the pauses that the exchange asked for, by an operator's decision: the host has another address now, or the pause does
-- not concern us. For a while the keys record this, so no service takes the pauses for lost and writes them again.
--
-- KEYS
--   requests     STRING JSON, the pause of all requests
--   orders       STRING JSON, the pause of orders alone
--   audit        STREAM! operator.audit
-- ARGV
--   told_ms      how long the keys record that the pauses were ended
--   who          user@host
--   reason       why
-- REPLY
--   RESUMED      a pause was in force and is over
--   NONE         none was; nothing was changed
--@include shared/now.lua
--@include shared/json.lua
--@include shared/audit.lua
local requests, orders, audit = KEYS[1], KEYS[2], KEYS[3]
local told_ms, who, reason = ARGV[1], ARGV[2], ARGV[3]

local ended, before = {}, { requests = '', orders = '' }
for name, key in pairs({ requests = requests, orders = orders }) do
  local value = redis.pcall('GET', key)
  if type(value) == 'table' then value = 'not text' end
  if value and not value:find('"resumed_ms"', 1, true) then
    ended[#ended + 1] = key
    before[name] = value
  end
end
if #ended == 0 then return { 'NONE' } end
add_audit(audit, now_ms(), 'exchange.resume', 'exchange', who, reason,
  '{"requests": ' .. quoted(before.requests) .. ', "orders": ' .. quoted(before.orders) .. '}')
for _, key in ipairs(ended) do redis.call('SET', key, '{"resumed_ms": ' .. int(now_ms()) .. '}', 'PX', told_ms) end
return { 'RESUMED' }
