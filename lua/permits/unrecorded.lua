-- Whether an issuer should still answer a plan without a record: the Python apply-layer keeps none, and one of ours may be
-- lost. Nothing announces the end of such a plan, so only keys and streams show whether it still needs an answer.

local function is_of_attempt(key, attempt)
  local text = redis.pcall('GET', key)
  return type(text) == 'string' and text:find('"attempt": "' .. attempt .. '"', 1, true) ~= nil
end

-- The issuing script's reply for such an attempt, nil if it must be answered now. `ended_ms`: when the issuer booked the end
-- of the plan, if it did.
local function unrecorded_status(spent, permit, denial, plans, group, attempt, ended_ms, oldest_ms)
  local published_ms = tonumber(attempt:match('^%d+'))
  -- The result may arrive before our answer: a dry run of the Python apply-layer ends at once.
  if ended_ms and published_ms <= tonumber(ended_ms) then return 'ENDED' end
  -- With a record, an answer is stamped in it; without one, only the keys show it.
  if (redis.call('GET', spent) or ''):match('^%S+ (%S+)') == attempt then return 'ENDED' end
  if is_of_attempt(permit, attempt) or is_of_attempt(denial, attempt) then return 'REPLAYED' end
  -- The publisher has long given up (a group that starts at 0 receives the whole history).
  if published_ms < oldest_ms then return 'ENDED' end
  -- Without its record, a plan of ours can no longer be consumed, and without its entry no process knows it: a permit would
  -- only reserve what is never used.
  local entry = redis.call('XRANGE', plans, attempt, attempt)[1]
  if not entry then return 'ENDED' end
  for i = 1, #entry[2], 2 do
    if entry[2][i] == 'attempt_no' then return 'ENDED' end
  end
  -- A frozen replica that comes back after the permit was used must not write another one: an entry that is not pending
  -- has its answer. Without the group this is not known.
  local pending = redis.pcall('XPENDING', plans, group, attempt, attempt, 1)
  if not pending.err and #pending == 0 then return 'REPLAYED' end
end

-- Invariant I1 beside the Python apply-layer, which forgets its orders at the operators' reset: while an earlier attempt's
-- permit is used and its result is not settled, that attempt may have placed the order.
local function is_unsettled(expiry, permit, plan_id, now)
  local promised_until = redis.call('ZSCORE', expiry, plan_id)
  return promised_until and tonumber(promised_until) > now and redis.call('EXISTS', permit) == 0
end
