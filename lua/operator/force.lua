-- Frees the id of a plan whose order was never claimed, so that its proposal may open it again. Only the marks that call it
-- a duplicate go: what guards against a second order (`spent`, `order`) is read, never written, a plan that waits is left
-- alone, and the record stays until the next attempt replaces it. Invariant I1.
--
-- KEYS
--   plan         HASH, the plan's record
--   dedupe       STRING
--   published    STRING
--   spent        STRING
--   order        HASH, the executor's claim
--   audit        STREAM operator.audit
-- ARGV
--   plan_id      16 hex digits
--   commit       1, or 0 to only tell what would happen
--   who          user@host
--   reason       why
-- REPLY
--   CLEARED      state of the record or 'unknown': the plan may open again
--   WAITING      left alone: it gets its result first
--   ORDER        left alone: an order of it was or may be sent
--   FREE         nothing marks it as taken
--@include shared/now.lua
--@include shared/json.lua
--@include shared/order_possible.lua
--@include shared/audit.lua
local plan, dedupe, published, spent, order, audit = unpack(KEYS)
local plan_id, commit, who, reason = ARGV[1], ARGV[2] == '1', ARGV[3], ARGV[4]

local state = redis.call('HGET', plan, 'state')
redis.call('XLEN', audit)
if state == 'WAITING' then return { 'WAITING' } end
if order_possible(spent, order) then return { 'ORDER' } end
if redis.call('EXISTS', dedupe) == 0 then return { 'FREE' } end

if commit then
  add_audit(audit, now_ms(), 'force', plan_id, who, reason, '{"state": ' .. quoted(state or 'unknown') .. '}')
  redis.call('DEL', dedupe, published)
end
return { 'CLEARED', state or 'unknown' }
