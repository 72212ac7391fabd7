-- Claims the one order of a plan before anything is sent. The client order id and the send window are in Redis first, so the
-- exchange can be queried whatever happens to the sender. A refusal ends the attempt as NOT_PLACED, with result and ack, in the
-- same step. Invariants I1 (one order per plan), I3 (one result), I6 (nothing late; under a halt only an operator's exit).
--
-- KEYS
--   order        HASH, the claim; no TTL until settled
--   unsettled    ZSET! of this symbol's claimed orders
--   plan         HASH, the plan's record
--   spent        STRING: which attempt spent permits, for what quantity
--   kill_switch  STRING
--   kill_switch_seen STRING, the mark of the wire's kill switch
--   disarm       STRING
--   disarm_today STRING
--   executes     STREAM! apply.execute
--   results      STREAM! apply.result
--   handed_over  HASH plan id → its execute entry, until its order has an outcome
--   owner        HASH: which executor owns the orders
-- ARGV
--   plan_id      16 hex digits
--   symbol       BTCUSDT
--   attempt      the attempt that spent the permits
--   attempt_no   its number, part of the client order id
--   group        consumer group of the execute entry
--   entry_id     of the execute entry
--   client_order_id for the exchange
--   side         BUY SELL
--   quantity     decimal text
--   step         CLOSE_FULL
--   valid_until_ms after this nothing is claimed
--   venue_ms     when the send window opens, by the exchange's clock
--   window_ms    longest receive window of the exchange
--   position_amt the position according to the permits, to detect later whether the position has moved
--   capped_by_venue 1 if the plan would close more, but the exchange takes no larger order, else 0
--   refusal      why the caller cannot place it at all, or ''
--   detail       of the refusal, or ''
--   is_verified  1 if the entry's signed permits were verified, else 0: then only the entry that `spent` names ends the plan
--   settled_sec  TTL of a settled claim
--   instance     the caller's name
--   passes_halts 1 if no halt is asked: the caller has verified that an operator signed the order, or refuses it. Else 0.
--                Nothing in Redis decides this
--   class        of an operator's plan: operator or drill, as verified; '' of any other
--   ...signature issuer, and `valid`, `unsigned` or what is wrong with its signature, for each required issuer
-- REPLY
--   CLAIMED      now (ms), receive window (ms): send it, once
--   REFUSED      reason: settled as NOT_PLACED
--   HELD         state: this attempt was or may have been claimed before; query the exchange, send nothing
--   SETTLED      outcome: this attempt has its result; the entry is acknowledged
--   NOT_OWNER    another executor owns the orders, or nobody does; nothing was changed
--   UNSPENT      the attempt did not spend the plan's permits, or only for a smaller quantity, or handed over another entry;
--                nothing was changed
--@include shared/now.lua
--@include shared/halted.lua
--@include orders/claiming.lua
local of, kill_switch, kill_switch_seen, disarm, disarm_today, owner = {}, KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[12]
of.order, of.unsettled, of.plan, of.spent = unpack(KEYS, 1, 4)
of.executes, of.results, of.handed_over = unpack(KEYS, 9, 11)
of.plan_id, of.symbol, of.attempt, of.attempt_no, of.group, of.entry_id, of.client_order_id = unpack(ARGV, 1, 7)
of.side, of.quantity, of.step, of.valid_until, of.venue_ms = unpack(ARGV, 8, 12)
local window_ms, refusal, detail, is_verified = tonumber(ARGV[13]), ARGV[16], ARGV[17], ARGV[18] == '1'
of.position_amt, of.capped_by_venue, of.settled_sec = ARGV[14], ARGV[15], ARGV[19]
local instance, passes_halts, FIRST_SIGNATURE = ARGV[20], ARGV[21] == '1', 23
of.class = ARGV[22]
if passes_halts and refusal == '' and not (is_verified and of.class == 'operator') then
  error('only an exit that was verified passes halts')
end

if redis.pcall('HGET', owner, 'instance') ~= instance then return { 'NOT_OWNER' } end

local now = now_ms()
local known, proof = known_claim(of), spent_proof(of)
-- Whoever can write to the stream can repeat an entry, or invent one: it must not touch the plan that it names.
if proof.is_foreign or not is_verified and not proof.is_named then return { 'UNSPENT' } end

if known.outcome then
  redis.call('XACK', of.executes, of.group, of.entry_id)
  return { 'SETTLED', known.outcome }
end
if known.state then return { 'HELD', known.state } end
if known.may_be_sent then
  local status = hold(of, known, proof, now)
  if status == 'UNSPENT' then return { 'UNSPENT' } end
  if status == 'REFUSED' then return { 'REFUSED', 'duplicate_order' } end
  return { 'HELD', 'SENT' }
end
if not proof.is_enough and is_verified then return { 'UNSPENT' } end

-- An order cannot reach the exchange in a shorter window: it would be rejected as too late.
local SHORTEST_WINDOW_MS = 50
local left = tonumber(of.valid_until) - math.max(now, proof.at)
-- Spent in the future: Redis's clock has stepped back since, so the age of the handover is not known.
local expired = left < SHORTEST_WINDOW_MS or proof.at > now
local reason = known.is_duplicate and 'duplicate_order'
  or not passes_halts and halted(kill_switch, kill_switch_seen, disarm, disarm_today)
  or expired and 'execute_expired' or refusal ~= '' and refusal
local stamps = {}
for i = FIRST_SIGNATURE, #ARGV, 2 do
  stamps[#stamps + 1] = ARGV[i] .. '_signature'
  stamps[#stamps + 1] = ARGV[i + 1]
end
local window = math.min(window_ms, left)
if reason then
  refuse(of, known, now, reason, reason == refusal and detail or '')
  if known.is_current and #stamps > 0 then redis.call('HSET', of.plan, unpack(stamps)) end
  return { 'REFUSED', reason }
end
keep_claim(of, known, now, window, '0', unpack(stamps))
return { 'CLAIMED', int(now), int(window) }
