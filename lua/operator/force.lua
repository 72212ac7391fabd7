-- Frees the id of a plan whose order was never claimed, so its proposal may open it again. Only the marks that make it a
-- duplicate are deleted. The keys that guard against a second order (`spent`, `order`) are read, never written; a waiting plan
-- is not touched; the record stays until the next attempt replaces it. Invariant I1.
--
-- KEYS
--   plan         HASH, the plan's record
--   dedupe       STRING
--   published    STRING
--   spent        STRING
--   order        HASH, the executor's claim
--   audit        STREAM! operator.audit
-- ARGV
--   plan_id      16 hex digits
--   commit       1, or 0 to only report what would happen
--   who          user@host
--   reason       why
-- REPLY
--   CLEARED      state of the record or 'unknown': the plan may open again
--   WAITING      not touched: it gets its result first
--   ORDER        not touched: its order was or may be sent
--   FREE         nothing marks it as a duplicate
--@include shared/now.lua
--@include shared/json.lua
--@include shared/order_possible.lua
--@include shared/audit.lua
local plan, dedupe, published, spent, order, audit = unpack(KEYS)
local plan_id, commit, who, reason = ARGV[1], ARGV[2] == '1', ARGV[3], ARGV[4]

local state = redis.call('HGET', plan, 'state')
if state == 'WAITING' then return { 'WAITING' } end
if order_possible(spent, order) then return { 'ORDER' } end
if redis.call('EXISTS', dedupe) == 0 then return { 'FREE' } end

if commit then
  add_audit(audit, now_ms(), 'force', plan_id, who, reason, '{"state": ' .. quoted(state or 'unknown') .. '}')
  redis.call('DEL', dedupe, published)
end
return { 'CLEARED', state or 'unknown' }
