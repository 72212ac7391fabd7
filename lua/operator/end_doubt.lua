-- Records an operator's statement about an order in doubt. It settles nothing: the executor queries the exchange once more, at
-- once, and ends the order as stated unless the exchange knows it. So there is still only one result. Invariant I3.
--
-- KEYS
--   order        HASH, the executor's claim
--   audit        STREAM! operator.audit
-- ARGV
--   plan_id      16 hex digits
--   outcome      EXECUTED NOT_PLACED
--   quantity     the executed quantity, decimal text; '' if NOT_PLACED
--   who          user@host
--   reason       why
-- REPLY
--   STATED       the executor acts on it
--   REPLAYED     the same was stated before; nothing was changed
--   NOT_IN_DOUBT state, or 'none' without an order; nothing was changed
--   TOO_MUCH     quantity of the order, which is smaller; nothing was changed
--@include shared/now.lua
--@include shared/json.lua
--@include shared/decimal.lua
--@include shared/audit.lua
local order, audit = KEYS[1], KEYS[2]
local plan_id, outcome, quantity, who, reason = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local claim = redis.call('HMGET', order, 'state', 'quantity', 'client_order_id', 'stated_outcome', 'stated_qty')
local state, ordered, client_order_id, stated_outcome, stated_qty = unpack(claim)
if state ~= 'UNKNOWN' then return { 'NOT_IN_DOUBT', state or 'none' } end
if quantity ~= '' and above(quantity, ordered) then return { 'TOO_MUCH', ordered } end
if stated_outcome == outcome and stated_qty == quantity then return { 'REPLAYED' } end

add_audit(audit, now_ms(), 'doubt.end', plan_id, who, reason, '{"outcome": ' .. quoted(outcome) .. ', "quantity": '
  .. quoted(quantity) .. ', "client_order_id": ' .. quoted(client_order_id) .. '}')
redis.call('HSET', order, 'stated_outcome', outcome, 'stated_qty', quantity, 'stated_by', who,
  'stated_at_ms', int(now_ms()), 'next_ask_at_ms', int(now_ms()))
return { 'STATED' }
