-- What `orders/claim` and `orders/hold` have in common: what Redis knows about an attempt's claim and its spent permits, and what
-- they write. `of` has the keys and values that their headers name.
--@include shared/result.lua
--@include shared/decimal.lua
--@include shared/absent.lua
--@include shared/hash_table.lua
--@include shared/claim.lua
local TERMINAL = { EXECUTED = true, REJECTED = true, NOT_PLACED = true }

-- `outcome`: the attempt has its result. `state`: it is claimed. `may_be_sent`: it was claimed, or may have been, and the claim
-- is lost. `is_duplicate`: an earlier attempt's order was or may have been sent, whatever later evidence says (I1).
local function known_claim(of)
  -- A mistyped order key fails nothing: it may have been a claim, so it is replaced by a claim for a query, like one that
  -- cannot be read.
  local is_hash, claim = pcall(hash, of.order)
  local is_own = claim.attempt == of.attempt
  local may_be_sent = not is_hash or is_damaged(claim, is_own and is_unsettled(claim))
  if may_be_sent then claim = {} end
  local record = redis.call('HMGET', of.plan, 'attempt', 'wait_ms', 'safe_qty', 'state', 'client_order_id', 'class')
  local known = { is_current = record[1] == of.attempt, wait_ms = record[2], safe_qty = record[3], record_state = record[4],
    class = record[6], may_be_sent = may_be_sent, handed = redis.call('HGET', of.handed_over, of.plan_id) }
  if claim.state and claim.attempt == of.attempt then
    if TERMINAL[outcome_of(claim.state)] then known.outcome = outcome_of(claim.state) else known.state = claim.state end
  elseif known.is_current and not claim.state then
    -- If the order key is lost, the attempt's record still shows that it was claimed, and that it has its result (I1, I3).
    if TERMINAL[record[4]] then known.outcome = record[4] end
    known.may_be_sent = may_be_sent or record[5] ~= false
  end
  known.is_duplicate = claim.state and claim.attempt ~= of.attempt and (claim.client_order_id or claim.state ~= 'NOT_PLACED')
  return known
end

-- What `spent` proves. An unreadable one proves no permit. `is_named`: this entry is the one that was handed over when the
-- permits were spent. `is_foreign`: another entry is. Earlier versions did not record which.
local function spent_proof(of)
  local text = redis.pcall('GET', of.spent)
  local attempt, at, qty, entry_id = (type(text) == 'string' and text or ''):match('^OK (%S+) (%S+) (%d+%.?%d*) ?(%S*)[^\n]*')
  local is_own = attempt == of.attempt
  return { attempt = attempt, at = tonumber(at), is_enough = is_own and not above(of.quantity, qty),
    is_named = is_own and entry_id == of.entry_id, is_foreign = is_own and entry_id ~= '' and entry_id ~= of.entry_id }
end

-- Ends the attempt as NOT_PLACED, with result and ack. Another attempt's order key is not changed.
local function refuse(of, known, now, reason, detail)
  -- Then only these keys show whether this result was written. The entry may be lost, or arrive after the handover was checked.
  local is_written = known.is_duplicate and (known.is_current and known.record_state == 'NOT_PLACED'
    or not known.handed and #redis.pcall('XPENDING', of.executes, of.group, of.entry_id, of.entry_id, 1) == 0)
  -- Nothing is charged for what was not placed, so the record may say whose plan it was.
  local class = of.class ~= '' and of.class or known.is_current and known.class
  -- Deletes nothing. But once a script has begun to write, Redis lets it finish even if it is out of memory.
  redis.call('HDEL', of.handed_over, '')
  if not is_written then
    add_result(of.results, now, of.plan_id, of.symbol, 'EXECUTE', false, false, '[]', reason,
      with_class(with_wait({ 'attempt', of.attempt, 'outcome', 'NOT_PLACED', 'reason', reason, 'detail', detail },
        known.is_current and known.wait_ms, known.safe_qty), class))
  end
  redis.call('HDEL', of.handed_over, of.plan_id)
  redis.call('XACK', of.executes, of.group, of.entry_id)
  if not known.is_duplicate then
    redis.call('DEL', of.order)
    redis.call('HSET', of.order, 'state', 'NOT_PLACED', 'reason', reason, 'plan_id', of.plan_id, 'symbol', of.symbol,
      'attempt', of.attempt, 'attempt_no', of.attempt_no, 'settled_at_ms', int(now))
    if class and class ~= '' then redis.call('HSET', of.order, 'class', class) end
    redis.call('EXPIRE', of.order, of.settled_sec)
  end
  if known.is_current and not is_written then
    redis.call('HSET', of.plan, 'state', 'NOT_PLACED', 'reason', reason, 'detail', detail, 'ended_at_ms', int(now))
  end
end

-- The claim, whose send window of so many ms opens at `venue_ms`. The stamps are fields of the plan's record.
local function keep_claim(of, known, now, window, question, ...)
  redis.call('DEL', of.order)
  redis.call('HSET', of.order, 'state', 'SENT', 'plan_id', of.plan_id, 'symbol', of.symbol, 'attempt', of.attempt,
    'attempt_no', of.attempt_no, 'client_order_id', of.client_order_id, 'side', of.side, 'quantity', of.quantity,
    'step', of.step, 'claimed_at_ms', int(now), 'venue_ms', of.venue_ms,
    'window_end_ms', int(tonumber(of.venue_ms) + window), 'position_amt', of.position_amt, 'entry_id', of.entry_id,
    'question', question, 'capped_by_venue', of.capped_by_venue)
  if of.class ~= '' then redis.call('HSET', of.order, 'class', of.class) end
  redis.call('ZADD', of.unsettled, int(now), of.plan_id)
  if known.is_current then
    redis.call('HSET', of.plan, 'state', 'SENT', 'sent_at_ms', int(now), 'client_order_id', of.client_order_id,
      'side', of.side, 'quantity', of.quantity, ...)
  end
end

-- Claims an order that may have been sent, only to query it: no halt and no deadline applies to what may already exist.
-- 'HELD'; 'REFUSED' where an earlier attempt has the order; 'UNSPENT' where nothing proves that the permits were spent.
local function hold(of, known, proof, now)
  -- If `spent` is lost as well, the handover also proves it.
  local is_handed = not proof.attempt and known.handed and known.handed:find('"' .. of.attempt .. '"', 1, true)
  if not proof.is_enough and not is_handed then return 'UNSPENT' end
  if known.is_duplicate then
    refuse(of, known, now, 'duplicate_order', '')
    return 'REFUSED'
  end
  -- The order had its own window, of which only the end is known: that of the entry. The exchange accepts no longer one.
  local LONGEST_WINDOW_MS = 60000
  local left = tonumber(of.valid_until) - math.max(now, proof.at or now)
  keep_claim(of, known, now, math.min(LONGEST_WINDOW_MS, math.max(left, 0)), '1')
  return 'HELD'
end
