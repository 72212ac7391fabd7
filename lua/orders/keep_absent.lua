-- Keeps an order that ended by evidence of absence findable. Its order key, the index that schedules its queries and the copy
-- of its claim are rebuilt from each other, so an order that shows up is adopted whichever of them is lost. An order that
-- ended otherwise, or was corrected, is removed.
--
-- KEYS
--   order        HASH, the claim
--   absent       ZSET of this symbol's orders that ended by evidence of absence
--   absent_claims HASH plan id → its claim, of all such orders
--   symbols      SET of the symbols whose orders recovery looks at
-- ARGV
--   plan_id      16 hex digits
--   symbol       BTCUSDT
--   settled_sec  TTL of a settled claim
-- REPLY
--   KEPT         it is still queried
--   RESTORED     it is queried again: its order key was lost, or of the wrong type
--   ENDED        it needs no further query, and neither index nor copy has it
--   LOST         neither order key nor copy exists; no index has it any more
--@include shared/absent.lua
local order, absent, absent_claims, symbols = unpack(KEYS)
local plan_id, symbol, settled_sec = ARGV[1], ARGV[2], ARGV[3]

-- A key of the wrong type fails here, before anything is written, except the order key, which has a copy.
local claim = redis.pcall('HMGET', order, 'state', 'reason', 'settled_at_ms')
local copy = redis.call('HGET', absent_claims, plan_id)
redis.call('ZCARD', absent)
redis.call('SCARD', symbols)
local is_lost = claim.err or not claim[1]

if is_lost and not copy then
  redis.call('ZREM', absent, plan_id)
  return { 'LOST' }
end
if not is_lost and not ended_absent(claim[1], claim[2]) then
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
