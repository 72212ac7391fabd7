-- Claims the order of an attempt that was or may have been sent, only to query it: Redis may have lost its claim. The client order
-- id and the longest send window are recorded, so the exchange is queried until the order can be settled. No halt and no deadline
-- applies to an order that may already exist. Nothing is ever sent by such a claim. Invariants I1 and I3.
--
-- KEYS
--   order        HASH, the claim; no TTL until settled
--   unsettled    ZSET! of this symbol's claimed orders
--   plan         HASH, the plan's record
--   spent        STRING: which attempt spent permits, for what quantity
--   executes     STREAM! apply.execute
--   results      STREAM! apply.result
--   handed_over  HASH plan id → its execute entry, until its order has an outcome
-- ARGV
--   plan_id      16 hex digits
--   symbol       BTCUSDT
--   attempt      the attempt that spent the permits
--   attempt_no   its number, part of the client order id
--   group        consumer group of the execute entry
--   entry_id     of the execute entry; 0-0 if it is not known
--   client_order_id for the exchange
--   side         BUY SELL
--   quantity     decimal text
--   step         CLOSE_FULL
--   valid_until_ms after this nothing is claimed
--   venue_ms     now, by the exchange's clock
--   position_amt the position according to the permits, to detect later whether the position has moved
--   capped_by_venue 1 if the plan would close more, but the exchange takes no larger order, else 0
--   is_verified  1 if the entry's signed permits were verified, or it is read from the handover; else 0: then it must be the
--                entry that `spent` names
--   settled_sec  TTL of a settled claim
--   class        of an operator's plan: operator or drill; '' of any other
-- REPLY
--   REFUSED      reason: an earlier attempt has the order; settled as NOT_PLACED
--   HELD         state: it is claimed; query the exchange, send nothing
--   SETTLED      outcome: this attempt has its result; the entry is acknowledged
--   UNSPENT      nothing proves that the attempt spent the plan's permits, or it handed over another entry; nothing was changed
--@include shared/now.lua
--@include orders/claiming.lua
local of, NO_ENTRY = {}, '0-0'
of.order, of.unsettled, of.plan, of.spent, of.executes, of.results, of.handed_over = unpack(KEYS)
of.plan_id, of.symbol, of.attempt, of.attempt_no, of.group, of.entry_id, of.client_order_id = unpack(ARGV, 1, 7)
of.side, of.quantity, of.step, of.valid_until, of.venue_ms, of.position_amt, of.capped_by_venue = unpack(ARGV, 8, 14)
local is_verified
is_verified, of.settled_sec, of.class = ARGV[15] == '1', ARGV[16], ARGV[17]

local now = now_ms()
local known, proof = known_claim(of), spent_proof(of)
if of.entry_id ~= NO_ENTRY and (proof.is_foreign or not is_verified and not proof.is_named) then return { 'UNSPENT' } end

if known.outcome then
  redis.call('XACK', of.executes, of.group, of.entry_id)
  return { 'SETTLED', known.outcome }
end
if known.state then return { 'HELD', known.state } end
local status = hold(of, known, proof, now)
if status == 'UNSPENT' then return { 'UNSPENT' } end
if status == 'REFUSED' then return { 'REFUSED', 'duplicate_order' } end
return { 'HELD', 'SENT' }
