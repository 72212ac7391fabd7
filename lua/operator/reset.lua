-- Forgets a plan whose order was never claimed, so its proposal may open it again: its marks and its record. A waiting plan is abandoned,
-- without a result: whoever looks after it finds neither record nor mark. The keys that guard against a second order (`spent`,
-- `order`) are read, never written, and with them the record of such a plan stays. Invariant I1.
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
--   RESET        state of the record or 'unknown': the plan may open again
--   ORDER        not touched: its order was or may be sent
--   FREE         nothing is known of it
--@include shared/now.lua
--@include shared/json.lua
--@include shared/order_possible.lua
--@include shared/audit.lua
local plan, dedupe, published, spent, order, audit = unpack(KEYS)
local plan_id, commit, who, reason = ARGV[1], ARGV[2] == '1', ARGV[3], ARGV[4]

if order_possible(spent, order) then return { 'ORDER' } end
if redis.call('EXISTS', plan, dedupe, published) == 0 then return { 'FREE' } end
-- A record of the wrong type is forgotten as well.
local state = redis.pcall('HGET', plan, 'state')
if type(state) ~= 'string' then state = 'unknown' end

if commit then
  add_audit(audit, now_ms(), 'reset', plan_id, who, reason, '{"state": ' .. quoted(state) .. '}')
  redis.call('DEL', dedupe, published, plan)
end
return { 'RESET', state }
