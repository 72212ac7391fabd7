-- Claims an order again that was sent, as its sender's journal says, if this Redis knows nothing of it: a failover or a flush may
-- have lost its plan with its claim. It is a question: the exchange is queried, nothing is sent. The journal is the proof, so
-- no spent permits are needed. If the attempt has ended without that question, its result may be wrong: then the order is queried
-- like one that ended by evidence of absence, and a fill corrects the result. Invariants I1 and I3.
--
-- KEYS
--   order        HASH, the claim
--   unsettled    ZSET! of this symbol's claimed orders
--   plan         HASH, the plan's record
--   results      STREAM apply.result
--   symbols      SET! of the symbols whose orders recovery looks at
--   absent       ZSET! of this symbol's orders that ended by evidence of absence; they are queried for a while longer
--   absent_claims HASH! plan id → its claim, of all such orders
-- ARGV
--   plan_id      16 hex digits
--   symbol       BTCUSDT
--   attempt      the attempt whose order was sent
--   attempt_no   its number, part of the client order id
--   client_order_id for the exchange
--   side         BUY SELL
--   quantity     decimal text
--   step         CLOSE_FULL
--   venue_ms     when its send window opened, by the exchange's clock
--   window_ms    how long that was
--   position_amt the position according to the permits, or ''
--   capped_by_venue 1 if the plan would have closed more, but the exchange takes no larger order, else 0
--   class        of an operator's plan: operator; '' of any other
--   settled_sec  TTL of a settled claim
-- REPLY
--   KNOWN        its claim, or another attempt's for the same order, is there, or its outcome: nothing was changed
--   ASKED        it is claimed as a question
--   LATER        another attempt of the plan is under way, and becomes the question if it is handed over: ask again; nothing was
--                changed
--   LATE         id of the attempt's result: it ended before the order was queried; a fill will correct it
--@include shared/now.lua
--@include orders/claiming.lua
local of, results, symbols, absent, absent_claims = {}, unpack(KEYS, 4)
of.order, of.unsettled, of.plan = unpack(KEYS, 1, 3)
of.plan_id, of.symbol, of.attempt, of.attempt_no, of.client_order_id, of.side, of.quantity, of.step = unpack(ARGV, 1, 8)
of.venue_ms, of.position_amt, of.capped_by_venue, of.class = ARGV[9], ARGV[11], ARGV[12], ARGV[13]
local window, settled_sec = tonumber(ARGV[10]), ARGV[14]
-- No entry has this id. The entry, if it is still there, finds the claim or its outcome.
of.entry_id = '0-0'

local now = now_ms()
-- A mistyped or damaged order key is no claim that can be queried.
local is_hash, claim = pcall(hash, of.order)
if not is_hash or is_damaged(claim, is_unsettled(claim)) then claim = {} end
-- An order key without a client order id is of an attempt that was refused: its order was not this one.
if claim.client_order_id then return { 'KNOWN' } end
-- A record of the wrong type holds nothing: it is mended before the question settles.
local attempt, state, ended_at = unpack(redis.pcall('HMGET', of.plan, 'attempt', 'state', 'ended_at_ms'))
local is_current = attempt == of.attempt
if is_current and (state == 'EXECUTED' or state == 'REJECTED') then return { 'KNOWN' } end
if attempt and not is_current and not ended_at then return { 'LATER' } end

local has_ended = is_current and ended_at
-- The step that ended it wrote the result at that very moment. A time that is none leaves the correction without that entry.
local ended_ms = has_ended and ended_at:match('^%d+$') and #ended_at < 16 and ended_at or '0'
local result_id = ended_ms .. '-0'
for _, entry in ipairs(has_ended and redis.call('XRANGE', results, ended_ms, ended_ms) or {}) do
  for i = 1, #entry[2], 2 do
    if entry[2][i] == 'plan_id' and entry[2][i + 1] == of.plan_id then result_id = entry[1] end
  end
end

redis.call('SADD', symbols, of.symbol)
keep_claim(of, { is_current = is_current and not has_ended }, now, window, '1')
if not has_ended then return { 'ASKED' } end

redis.call('ZREM', of.unsettled, of.plan_id)
redis.call('HSET', of.order, 'state', UNPLACED, 'reason', 'not_placed_by_evidence', 'detail', 'not queried yet', 'settled_at_ms', int(now),
  'result_id', result_id)
redis.call('EXPIRE', of.order, settled_sec)
redis.call('ZADD', absent, int(now), of.plan_id)
redis.call('HSET', absent_claims, of.plan_id, cjson.encode(redis.call('HGETALL', of.order)))
return { 'LATE', result_id }
