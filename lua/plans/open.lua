-- Opens one attempt of a plan: the dedupe mark, the record, the deadline and the `apply.plan` entry, or, for a plan that
-- may not wait at all, the entry and its terminal result. A second run finds the first one's dedupe mark: DUPLICATE.
-- The kill switch is the first gate and the disarm follows the plan's own gates, so both are read here, in the same
-- step that publishes. Invariants I4 (one result) and, through `spent` and `order`, I1 (one order).
--
-- KEYS
--   plan         HASH, the plan's record
--   dedupe       STRING
--   published    STRING
--   spent        STRING, which attempt spent permits
--   order        HASH, the executor's claim
--   waiting      ZSET of this symbol's waiting plans
--   symbols      SET of the symbols whose waiting plans a sweep looks at
--   plans        STREAM! apply.plan
--   results      STREAM! apply.result
--   kill_switch  STRING
--   kill_switch_seen STRING, the mark of the wire's kill switch
--   disarm       STRING
--   disarm_today STRING
--   ...left      permit and block keys that an earlier attempt may have left
-- ARGV
--   plan_id      16 hex digits
--   symbol       BTCUSDT
--   decision     EXECUTE SKIP BLOCKED ERROR
--   reason       why not EXECUTE, or ''
--   mode         dry_run paper testnet
--   wait_ms      how long the plan may wait for permits
--   dedupe_sec   how long the same proposal is a duplicate
--   published_sec TTL of `published`
--   record_sec   TTL of the record
--   step         CLOSE_PARTIAL_75, or ''
--   close_pct    75, or ''
--   proposed_ms  when the proposal was made, by its publisher's clock, or '' if not known
--   fresh_ms     the time from which its age is computed, or '' if there is no limit: SKIP proposal_stale
--   max_age_ms   its maximum age
--   ...entry     the entry's fields and values, in wire order up to `timestamp`
-- REPLY
--   OPENED       attempt, attempt number, deadline (ms), now (ms): the plan waits for its permits
--   ENDED        attempt, decision, reason: published together with its result
--   DUPLICATE    state of the record or 'unknown', attempt, deadline, now: nothing was changed
--@include shared/now.lua
--@include shared/halted.lua
--@include shared/order_possible.lua
--@include shared/result.lua
local plan, dedupe, published, spent, order, waiting, symbols = unpack(KEYS, 1, 7)
local plans, results, kill_switch, kill_switch_seen, disarm, disarm_today = unpack(KEYS, 8, 13)
local FIRST_LEFT_KEY = 14
local plan_id, symbol, decision, reason, mode, wait_ms = unpack(ARGV, 1, 6)
local dedupe_sec, published_sec, record_sec, step, close_pct, proposed_ms, fresh_ms, max_age_ms = unpack(ARGV, 7, 14)
local FIRST_ENTRY_ARG = 15
-- A publisher's clock that is further ahead than this is not trusted.
local PUBLISHER_AHEAD_MS = 5000

local now = now_ms()
-- Mostly nothing halts and the plan is new: one command says so, and nothing has to be read or deleted.
local is_plain = redis.call('EXISTS', plan, dedupe, spent, order, kill_switch, disarm, disarm_today, unpack(KEYS, FIRST_LEFT_KEY)) == 0
local order_attempt_no
if not is_plain then
  local state, attempt, deadline = unpack(redis.call('HMGET', plan, 'state', 'attempt', 'deadline_ms'))
  local has_order
  has_order, order_attempt_no = order_possible(spent, order)
  -- A waiting attempt gets its result first, even if the dedupe mark has expired.
  if state == 'WAITING' or redis.call('EXISTS', dedupe) == 1 or has_order then
    -- A deadline further away was written by a clock that was ahead: no plan waits longer than one that opens now.
    local ends = deadline and int(math.min(tonumber(deadline), now + tonumber(wait_ms))) or ''
    return { 'DUPLICATE', state or 'unknown', attempt or '', ends, int(now) }
  end
end

local age_ms = fresh_ms ~= '' and now - tonumber(fresh_ms) or 0
if age_ms > tonumber(max_age_ms) or age_ms < -PUBLISHER_AHEAD_MS then decision, reason = 'SKIP', 'proposal_stale' end

local halt = halted(kill_switch, kill_switch_seen, disarm, disarm_today, is_plain)
if halt and (halt ~= 'disarmed' or decision == 'EXECUTE') then decision, reason = 'BLOCKED', halt end

local attempt_no = order_attempt_no and int(tonumber(order_attempt_no) + 1) or '1'
local deadline = int(now + tonumber(wait_ms))
local entry = { unpack(ARGV, FIRST_ENTRY_ARG) }
for i = 1, #entry, 2 do
  if entry[i] == 'decision' then entry[i + 1] = decision end
  if entry[i] == 'reason_codes' then entry[i + 1] = reason end
  if entry[i] == 'timestamp' then entry[i + 1] = int(math.floor(now / 1000)) end
end

local waits = decision == 'EXECUTE'
if waits then
  -- The sweeps' index first. `waiting` is not read above, so one of the wrong type fails here.
  redis.call('SADD', symbols, symbol)
  redis.call('ZADD', waiting, deadline, plan_id)
end
local function append(...)
  for _, text in ipairs({ ... }) do entry[#entry + 1] = text end
end
append('attempt_no', attempt_no, 'mode', mode)
if waits then append('deadline_ms', deadline) end
-- A stream that cannot be written fails here, and the plan is not opened.
local attempt = redis.call('XADD', plans, '*', unpack(entry))
if not waits then
  add_result(results, now, plan_id, symbol, decision, false, false, '[]', decision == 'SKIP' and '' or reason,
    { 'attempt', attempt, 'outcome', decision, 'reason', reason })
end
if not is_plain then redis.call('DEL', plan, unpack(KEYS, FIRST_LEFT_KEY)) end
redis.call('SET', dedupe, int(math.floor(now / 1000)), 'EX', dedupe_sec)
redis.call('SET', published, '1', 'EX', published_sec)
local outcome = waits and { 'WAITING', 'deadline_ms', deadline } or { decision, 'reason', reason, 'ended_at_ms', int(now) }
redis.call('HSET', plan, 'symbol', symbol, 'mode', mode, 'step', step, 'close_pct', close_pct, 'attempt', attempt,
  'attempt_no', attempt_no, 'opened_at_ms', int(now), 'proposed_ms', int(math.min(tonumber(proposed_ms) or now, now)),
  'state', unpack(outcome))
redis.call('EXPIRE', plan, record_sec)
if waits then return { 'OPENED', attempt, attempt_no, deadline, int(now) } end
return { 'ENDED', attempt, decision, reason }
