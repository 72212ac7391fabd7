-- Ends an attempt whose permits were spent but whose order was not claimed in time: its `apply.execute` entry was lost, or
-- cannot be read. The order key is written in the same step, so an entry that arrives late finds the outcome and nothing is
-- sent. An order that was claimed, or may have been, is left to evidence. Invariants I1, I3 and I4.
--
-- KEYS
--   order        HASH, the claim
--   unsettled    ZSET of this symbol's claimed orders
--   plan         HASH, the plan's record
--   executes     STREAM! apply.execute
--   results      STREAM! apply.result
--   handed_over  HASH plan id → its execute entry, until its order has an outcome
-- ARGV
--   plan_id      16 hex digits
--   group        consumer group of the execute entry
--   margin_ms    how long after its valid_until_ms the entry may still arrive
--   settled_sec  TTL of the order key
--   replication_id  of the Redis that has lost no claim, as far as the caller knows
-- REPLY
--   ENDED        symbol, step: NOT_PLACED, with its result
--   EARLY        its entry may still be claimed; nothing was changed
--   CLAIMED      it is claimed, or was and the claim is lost: only the exchange knows; nothing was changed
--   REPLACED     this Redis has another replication id, and may have lost a claim; nothing was changed
--   GONE         the index does not name it; nothing was changed
--@include shared/now.lua
--@include shared/result.lua
local order, unsettled, plan, executes, results, handed_over = unpack(KEYS)
local plan_id, group, margin_ms, settled_sec, replication_id = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4], ARGV[5]
local REASON = 'handover_lost'

-- A mistyped order key fails nothing: it may have been a claim.
local text = redis.call('HGET', handed_over, plan_id)
local claim = redis.pcall('HMGET', order, 'state', 'attempt', 'client_order_id')
local record = redis.call('HMGET', plan, 'attempt', 'client_order_id', 'wait_ms', 'safe_qty')
local is_unsettled = redis.call('ZSCORE', unsettled, plan_id)
if not text then return { 'GONE' } end
-- The client resends a call after a reconnect, perhaps to another Redis, or to one that has become master again.
if not redis.call('INFO', 'replication'):find('master_replid:' .. replication_id, 1, true) then return { 'REPLACED' } end

local entry, fields = {}, cjson.decode(text)
for i = 1, #fields, 2 do entry[fields[i]] = fields[i + 1] end
local now = now_ms()
-- No claim is valid for longer than this, an operator's than EXIT_VALID_MS. A longer one was written before Redis's clock stepped
-- back, and `claim` refuses it as well.
local LONGEST_MS = entry.class and 60000 or 30000
local left = tonumber(entry.valid_until_ms) - now
if left >= -margin_ms and left <= LONGEST_MS then return { 'EARLY' } end

-- A claim also writes its client order id to the record. Only an earlier attempt that was refused leaves an order key without one.
local is_current = record[1] == entry.attempt
local was_refused = claim[1] == 'NOT_PLACED' and not claim[3] and claim[2] ~= entry.attempt
if claim.err or is_unsettled or (is_current and record[2]) or (claim[1] and not was_refused) then return { 'CLAIMED' } end

redis.call('DEL', order)
-- A stream that cannot be written fails here, and the handover stays open.
add_result(results, now, plan_id, entry.symbol, 'EXECUTE', false, false, '[]', REASON,
  with_class(with_wait({ 'attempt', entry.attempt, 'outcome', 'NOT_PLACED', 'reason', REASON },
    is_current and record[3], record[4]), entry.class))
redis.call('HDEL', handed_over, plan_id)
redis.call('HSET', order, 'state', 'NOT_PLACED', 'reason', REASON, 'plan_id', plan_id, 'symbol', entry.symbol,
  'attempt', entry.attempt, 'attempt_no', entry.attempt_no, 'settled_at_ms', int(now))
if entry.class then redis.call('HSET', order, 'class', entry.class) end
redis.call('EXPIRE', order, settled_sec)
if is_current then redis.call('HSET', plan, 'state', 'NOT_PLACED', 'reason', REASON, 'ended_at_ms', int(now)) end
redis.call('XACK', executes, group, entry.entry_id)
return { 'ENDED', entry.symbol, entry.step }
