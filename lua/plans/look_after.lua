-- Makes sure that an attempt ends, whatever was lost, starting from its `apply.plan` entry. An attempt that is missing from the
-- index of waiting plans or of handovers is put back; `spent` has a copy of the handover, and the record says the same. A plan whose
-- record was deleted or damaged while it waited is BLOCKED with its result, because it can no longer be consumed. The
-- operators' reset also deletes the dedupe mark: such a plan was abandoned and may open again. Invariant I4.
--
-- KEYS
--   plan         HASH, the plan's record
--   dedupe       STRING
--   spent        STRING, which attempt spent permits, and what was handed over
--   order        HASH, the executor's claim
--   waiting      ZSET of this symbol's waiting plans
--   symbols      SET of the symbols whose waiting plans a sweep looks at
--   handed_over  HASH plan id → its execute entry, until its order has an outcome
--   results      STREAM apply.result
-- ARGV
--   plan_id      16 hex digits
--   symbol       BTCUSDT
--   attempt      id of the plan entry
-- REPLY
--   WAITING      it waits, and the indexes say so
--   HANDED_OVER  its permits are spent and its order has no outcome, and the index says so
--   LOST         its record was gone, or could not be read: BLOCKED, with its result
--   ENDED        it has ended or waits in another attempt; if it is no longer handed over, the index says so
--@include shared/now.lua
--@include shared/absent.lua
--@include shared/hash_table.lua
--@include shared/result.lua
--@include shared/handover.lua
local plan, dedupe, spent, order, waiting, symbols, handed_over, results = unpack(KEYS)
local plan_id, symbol, attempt = ARGV[1], ARGV[2], ARGV[3]
local REASON = 'record_lost'
-- A result follows soon after its attempt, so it is among the first entries read.
local RESULTS_MAX, RESULTS_AT_ONCE = 10000, 200
local WITHOUT_OUTCOME, OUTCOME = { PERMITTED = true, SENT = true, UNKNOWN = true }, { EXECUTED = true, REJECTED = true, NOT_PLACED = true }

-- Mostly it has ended, and three fields of some thirty say so.
local function is_state(text) return text and text:find('^[A-Z_]+$') end
local kept_state, kept_attempt, kept_class = unpack(redis.pcall('HMGET', plan, 'state', 'attempt', 'class'))
-- The executor alone ends an operator's plan.
local is_others = kept_attempt ~= attempt or kept_class
if is_state(kept_state) and kept_state ~= 'WAITING' and (is_others or not WITHOUT_OUTCOME[kept_state]) then
  -- Executors up to 14fd32e settle without removing it from the index; once the order key expires, it would look unclaimed.
  if not is_others and OUTCOME[kept_state] then redis.pcall('HDEL', handed_over, plan_id) end
  return { 'ENDED' }
end

-- A record or index that cannot be read holds no information, and is reset.
local is_hash, record = pcall(hash, plan)
local is_damaged = not is_hash or record.state == 'WAITING' and not can_wait(record) or record.state and not is_state(record.state)
if is_damaged then record = {} end
local state = record.state
local function hand_again(copy)
  if redis.call('TYPE', handed_over).ok ~= 'hash' then redis.call('DEL', handed_over) end
  redis.call('HSET', handed_over, plan_id, copy)
  return { 'HANDED_OVER' }
end
-- Whether this attempt spent its permits, and the copy of what it handed over then.
local function spent_copy()
  local paid = redis.pcall('GET', spent)
  local is_own = type(paid) == 'string' and paid:match('^%S+ (%S+)') == attempt
  return is_own, is_own and paid:match('\n(.*)$')
end
if state then
  if is_others then return { 'ENDED' } end
  if WITHOUT_OUTCOME[state] then
    local _, copy = spent_copy()
    -- Versions up to 5aaa744 kept a whole copy in the record.
    copy = copy or record.hand_over or copy_from(plan_id, record)
    if copy then return hand_again(copy) end
  end
  if state ~= 'WAITING' then return { 'ENDED' } end
  for key, type in pairs({ [waiting] = 'zset', [symbols] = 'set' }) do
    if redis.call('TYPE', key).ok ~= type then redis.call('DEL', key) end
  end
  redis.call('SADD', symbols, symbol)
  redis.call('ZADD', waiting, 'NX', record.deadline_ms, plan_id)
  return { 'WAITING' }
end

-- Absent or damaged. And once a script has begun to write, Redis lets it finish even if it is out of memory.
redis.call('DEL', plan)
-- Whether it had its outcome before its record was lost.
local was_spent, copy = spent_copy()
if was_spent and not copy or not was_spent and redis.call('EXISTS', dedupe) == 0 then return { 'ENDED' } end
local claim = redis.pcall('HMGET', order, 'state', 'attempt')
if OUTCOME[outcome_of(claim[1])] and claim[2] == attempt then return { 'ENDED' } end
local from = attempt:match('^%d+')
for _ = 1, RESULTS_MAX / RESULTS_AT_ONCE do
  local page = redis.call('XRANGE', results, from, '+', 'COUNT', RESULTS_AT_ONCE)
  for _, result in ipairs(page) do
    for i = 1, #result[2], 2 do
      if result[2][i] == 'attempt' and result[2][i + 1] == attempt then return { 'ENDED' } end
    end
  end
  if #page < RESULTS_AT_ONCE then break end
  from = '(' .. page[#page][1]
end
if copy then return hand_again(copy) end
add_result(results, now_ms(), plan_id, symbol, 'BLOCKED', false, false, '[]', REASON,
  { 'attempt', attempt, 'outcome', 'BLOCKED', 'reason', REASON })
return { 'LOST' }
