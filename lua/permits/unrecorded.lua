-- A plan without a record, for its issuers: the Python apply-layer keeps none, and a record of ours may be gone. Nobody tells
-- when such a plan ends, so only keys and streams tell whether it is still to be answered.

local function is_of_attempt(key, attempt)
  local text = redis.pcall('GET', key)
  return type(text) == 'string' and text:find('"attempt": "' .. attempt .. '"', 1, true) ~= nil
end

-- What an issuer's script answers for such an attempt, nil if it is to be answered now. `ended_ms`: when the issuer booked
-- the end of the plan, if it did.
local function unrecorded_status(spent, permit, denial, plans, group, attempt, ended_ms, oldest_ms)
  local published_ms = tonumber(attempt:match('^%d+'))
  -- Its result may come before our answer: a dry run of the Python apply-layer ends at once.
  if ended_ms and published_ms <= tonumber(ended_ms) then return 'ENDED' end
  -- Whatever is written for an attempt that has a record is written with its stamp; here only the keys tell.
  if (redis.call('GET', spent) or ''):match('^%S+ (%S+)') == attempt then return 'ENDED' end
  if is_of_attempt(permit, attempt) or is_of_attempt(denial, attempt) then return 'REPLAYED' end
  -- Who published it has long given up (a group that starts at 0 is given the whole history).
  if published_ms < oldest_ms then return 'ENDED' end
  -- A plan of ours whose record is gone can be consumed no more, and one whose entry is gone is known to nobody: a permit
  -- would only reserve what no one will use.
  local entry = redis.call('XRANGE', plans, attempt, attempt)[1]
  if not entry then return 'ENDED' end
  for i = 1, #entry[2], 2 do
    if entry[2][i] == 'attempt_no' then return 'ENDED' end
  end
  -- A frozen replica that comes back after the permit was used must not write another one: an entry that is not pending
  -- has its answer. Without the group nothing is known of it.
  local pending = redis.pcall('XPENDING', plans, group, attempt, attempt, 1)
  if not pending.err and #pending == 0 then return 'REPLAYED' end
end

-- Invariant I1 beside an apply-layer that remembers no order: it forgets its plans with the operators' reset. While an
-- earlier attempt's permit is used and its result has not been settled, that one may have placed it.
local function is_unsettled(expiry, permit, plan_id, now)
  local promised_until = redis.call('ZSCORE', expiry, plan_id)
  return promised_until and tonumber(promised_until) > now and redis.call('EXISTS', permit) == 0
end
