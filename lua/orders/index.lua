-- Corrects one plan's membership in the order indexes by its order key. A deleted index is rebuilt from the others; an order
-- that has ended is removed from them.
--
-- KEYS
--   order        HASH, the claim
--   unsettled    ZSET! of this symbol's claimed orders
--   unknown      SET! of this symbol's plans in doubt
--   symbols      SET of the symbols whose orders recovery looks at
--   handed_over  HASH plan id → its execute entry, until its order has an outcome
-- ARGV
--   plan_id      16 hex digits
--   symbol       BTCUSDT
-- REPLY
--   UNSETTLED    it is claimed, and the indexes say so
--   ENDED        it has its outcome, and no index names it
--   ABSENT       there is no claim that can be read, or only an earlier attempt's; nothing was changed
--@include shared/hash_table.lua
--@include shared/claim.lua
local order, unsettled, unknown, symbols, handed_over = unpack(KEYS)
local plan_id, symbol = ARGV[1], ARGV[2]

-- A mistyped order key is not a readable claim.
local is_hash, claim = pcall(hash, order)
local entry = redis.call('HGET', handed_over, plan_id)

if not is_hash or not claim.state or is_damaged(claim, is_unsettled(claim)) then return { 'ABSENT' } end
if is_unsettled(claim) then
  redis.call('SADD', symbols, symbol)
  redis.call('ZADD', unsettled, 'NX', claim.claimed_at_ms, plan_id)
  if claim.state == 'UNKNOWN' then redis.call('SADD', unknown, plan_id) end
  return { 'UNSETTLED' }
end
redis.call('ZREM', unsettled, plan_id)
redis.call('SREM', unknown, plan_id)
if entry and not entry:find('"' .. claim.attempt .. '"', 1, true) then return { 'ABSENT' } end
redis.call('HDEL', handed_over, plan_id)
return { 'ENDED' }
