-- Keeps an order that ended by evidence of absence findable. Its order key, the index that schedules its queries and the copy
-- of its claim are rebuilt from each other, so an order that shows up is adopted whichever of them is lost. An order that
-- ended otherwise, or was corrected, is removed.
--
-- KEYS
--   order        HASH, the claim
--   absent       ZSET! of this symbol's orders that ended by evidence of absence
--   absent_claims HASH plan id → its claim, of all such orders
--   symbols      SET! of the symbols whose orders recovery looks at
-- ARGV
--   plan_id      16 hex digits
--   symbol       BTCUSDT
--   settled_sec  TTL of a settled claim
-- REPLY
--   KEPT         it is still queried
--   RESTORED     it is queried again: its order key was lost, of the wrong type, or damaged
--   ENDED        it needs no further query, and neither index nor copy has it
--   LOST         neither order key nor copy exists; no index has it any more
--@include shared/absent.lua
--@include shared/hash_table.lua
--@include shared/claim.lua
local order, absent, absent_claims, symbols = unpack(KEYS)
local plan_id, symbol, settled_sec = ARGV[1], ARGV[2], ARGV[3]

-- A mistyped order key fails nothing: it has a copy.
local is_hash, claim = pcall(hash, order)
local copy = redis.call('HGET', absent_claims, plan_id)
local is_late = ended_absent(claim.state, claim.reason)
-- A claim that is not settled is another attempt's: no copy takes its place.
local is_lost = not is_hash or not claim.state or not is_unsettled(claim) and is_damaged(claim, is_late)
  or is_late and not (claim.settled_at_ms or ''):find('^%d+$')

if is_lost and not copy then
  redis.call('ZREM', absent, plan_id)
  return { 'LOST' }
end
if not is_lost and not is_late then
  redis.call('ZREM', absent, plan_id)
  redis.call('HDEL', absent_claims, plan_id)
  return { 'ENDED' }
end

if is_lost then
  redis.call('DEL', order)
  redis.call('HSET', order, unpack(cjson.decode(copy)))
  redis.call('EXPIRE', order, settled_sec)
end
redis.call('ZADD', absent, 'NX', redis.call('HGET', order, 'settled_at_ms'), plan_id)
if not copy then redis.call('HSET', absent_claims, plan_id, cjson.encode(redis.call('HGETALL', order))) end
redis.call('SADD', symbols, symbol)
if is_lost then return { 'RESTORED' } end
return { 'KEPT' }
