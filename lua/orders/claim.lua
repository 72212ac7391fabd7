-- Claims the one order of a plan before anything is sent. The client order id and the send window are in Redis first, so the
-- exchange can be queried whatever happens to the sender. A refusal ends the attempt as NOT_PLACED, with result and ack, in the
-- same step. Invariants I1 (one order per plan), I3 (one result), I6 (nothing late, nothing under a halt).
--
-- KEYS
--   order        HASH, the claim; no TTL until settled
--   unsettled    ZSET! of this symbol's claimed orders
--   plan         HASH, the plan's record
--   spent        STRING: which attempt spent permits, for what quantity
--   kill_switch  STRING
--   disarm       STRING
--   disarm_today STRING
--   executes     STREAM! apply.execute
--   results      STREAM! apply.result
--   handed_over  HASH plan id → its execute entry, until its order has an outcome
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
--   refusal      why the caller cannot place it at all, or ''
--   may_be_sent  1 if Redis may have lost an earlier claim of this attempt: then this claim is only for a query, so no
--                halt, deadline or refusal by the caller applies; else 0
--   settled_sec  TTL of a settled claim
-- REPLY
--   CLAIMED      now (ms), receive window (ms): send it, once
--   REFUSED      reason: settled as NOT_PLACED
--   HELD         state: this attempt was or may have been claimed before; query the exchange, send nothing
--   SETTLED      outcome: this attempt has its result; the entry is acknowledged
--   UNSPENT      the attempt did not spend the plan's permits, or only for a smaller quantity; nothing was changed
--@include shared/now.lua
--@include shared/halted.lua
--@include shared/result.lua
--@include shared/decimal.lua
--@include shared/absent.lua
--@include shared/hash_table.lua
--@include shared/claim.lua
local order, unsettled, plan, spent, kill_switch, disarm, disarm_today, executes, results, handed_over = unpack(KEYS)
local plan_id, symbol, attempt, attempt_no, group, entry_id, client_order_id = unpack(ARGV, 1, 7)
local side, quantity, step, valid_until, venue_ms, window_ms, position_amt, refusal = unpack(ARGV, 8, 15)
local may_be_sent, settled_sec = ARGV[16] == '1', ARGV[17]

-- A mistyped order key fails nothing: it may have been a claim, so it is replaced by a claim for a query, like one that
-- cannot be read.
local now = now_ms()
local is_hash, claim = pcall(hash, order)
local is_own = claim.attempt == attempt
if not is_hash or is_damaged(claim, is_own and is_unsettled(claim)) then claim, may_be_sent = {}, true end
local state, claimed_attempt, claimed_id = claim.state, claim.attempt, claim.client_order_id
local record = redis.call('HMGET', plan, 'attempt', 'wait_ms', 'safe_qty', 'state', 'client_order_id')
local is_current = record[1] == attempt
-- An unreadable `spent` proves no permit.
local proof = redis.pcall('GET', spent)
local spent_attempt, spent_at, spent_qty = (type(proof) == 'string' and proof or ''):match('^OK (%S+) (%S+) (%d+%.?%d*)%f[\n%z]')
local handed = redis.call('HGET', handed_over, plan_id)

local TERMINAL = { EXECUTED = true, REJECTED = true, NOT_PLACED = true }
if state and claimed_attempt == attempt then
  if not TERMINAL[outcome_of(state)] then return { 'HELD', state } end
  redis.call('XACK', executes, group, entry_id)
  return { 'SETTLED', outcome_of(state) }
end
-- If the order key is lost, the attempt's record still shows that it was claimed, and that it has its result (I1, I3).
if is_current and not state then
  if TERMINAL[record[4]] then
    redis.call('XACK', executes, group, entry_id)
    return { 'SETTLED', record[4] }
  end
  may_be_sent = may_be_sent or record[5] ~= false
end
-- An order that an earlier attempt claimed may have been sent, whatever later evidence says: no second order (I1).
local is_duplicate = state and (claimed_id or state ~= 'NOT_PLACED')

local function refuse(reason)
  -- Another attempt's order key is not changed, so only these keys show whether this result was written. The entry may be
  -- lost, or arrive after the handover was checked.
  local is_written = is_duplicate and (is_current and record[4] == 'NOT_PLACED'
    or not handed and #redis.pcall('XPENDING', executes, group, entry_id, entry_id, 1) == 0)
  -- Deletes nothing. But once a script has begun to write, Redis lets it finish even if it is out of memory.
  redis.call('HDEL', handed_over, '')
  if not is_written then
    add_result(results, now, plan_id, symbol, 'EXECUTE', false, false, '[]', reason,
      with_wait({ 'attempt', attempt, 'outcome', 'NOT_PLACED', 'reason', reason }, is_current and record[2], record[3]))
  end
  redis.call('HDEL', handed_over, plan_id)
  redis.call('XACK', executes, group, entry_id)
  if not is_duplicate then
    redis.call('DEL', order)
    redis.call('HSET', order, 'state', 'NOT_PLACED', 'reason', reason, 'plan_id', plan_id, 'symbol', symbol,
      'attempt', attempt, 'attempt_no', attempt_no, 'settled_at_ms', int(now))
    redis.call('EXPIRE', order, settled_sec)
  end
  if is_current and not is_written then
    redis.call('HSET', plan, 'state', 'NOT_PLACED', 'reason', reason, 'ended_at_ms', int(now))
  end
  return { 'REFUSED', reason }
end

local function keep_claim(window)
  redis.call('DEL', order)
  redis.call('HSET', order, 'state', 'SENT', 'plan_id', plan_id, 'symbol', symbol, 'attempt', attempt,
    'attempt_no', attempt_no, 'client_order_id', client_order_id, 'side', side, 'quantity', quantity, 'step', step,
    'claimed_at_ms', int(now), 'venue_ms', venue_ms, 'window_end_ms', int(tonumber(venue_ms) + window),
    'position_amt', position_amt, 'entry_id', entry_id, 'question', may_be_sent and '1' or '0')
  redis.call('ZADD', unsettled, int(now), plan_id)
  if is_current then
    redis.call('HSET', plan, 'state', 'SENT', 'sent_at_ms', int(now), 'client_order_id', client_order_id, 'side', side,
      'quantity', quantity)
  end
end

local is_spent = spent_attempt == attempt and not above(quantity, spent_qty)
spent_at = tonumber(spent_at or now)
local left = tonumber(valid_until) - math.max(now, spent_at)

-- A claim for a query: nothing is sent, and halt, deadline and the caller's refusal are irrelevant to an order that may already
-- exist. If `spent` is lost as well, the handover also proves that the permits were spent.
if may_be_sent then
  local is_handed = not spent_attempt and handed and handed:find('"' .. attempt .. '"', 1, true)
  if not is_spent and not is_handed then return { 'UNSPENT' } end
  if is_duplicate then return refuse('duplicate_order') end
  -- The order had its own window, of which only the end is known: that of the entry. The exchange accepts no longer one.
  local LONGEST_WINDOW_MS = 60000
  keep_claim(math.min(LONGEST_WINDOW_MS, math.max(left, 0)))
  return { 'HELD', 'SENT' }
end

if not is_spent then return { 'UNSPENT' } end
-- An order cannot reach the exchange in a shorter window: it would be rejected as too late.
local SHORTEST_WINDOW_MS = 50
-- Spent in the future: Redis's clock has stepped back since, so the age of the handover is not known.
local expired = left < SHORTEST_WINDOW_MS or spent_at > now
local reason = is_duplicate and 'duplicate_order' or halted(kill_switch, disarm, disarm_today)
  or expired and 'execute_expired' or refusal ~= '' and refusal
if reason then return refuse(reason) end
local window = math.min(tonumber(window_ms), left)
keep_claim(window)
return { 'CLAIMED', int(now), int(window) }
