-- Takes the next query about an order that is not settled, or that ended by evidence of absence and is queried for a while
-- longer. One caller queries; the others leave the order alone until the answer is noted, or until the lease has expired. A
-- due time further away than any pause was written by another clock, and counts as due.
--
-- KEYS
--   order        HASH, the claim
--   absent       ZSET! of this symbol's orders that ended by evidence of absence
--   absent_claims HASH! plan id → its claim, of all such orders
-- ARGV
--   plan_id      16 hex digits
--   lease_ms     how long the caller may take
--   longest_ms   the longest pause between two queries about an order that is not settled
--   late_longest_ms the same for one that ended by evidence of absence
--   late_ms      for how long that one is queried
-- REPLY
--   ASK          how many queries came before
--   LATER        ms until it is due
--   NOTHING      there is nothing to query
--@include shared/now.lua
--@include shared/absent.lua
local order, absent, absent_claims = KEYS[1], KEYS[2], KEYS[3]
local plan_id, lease_ms, longest_ms = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local late_longest_ms, late_ms = tonumber(ARGV[4]), tonumber(ARGV[5])

local claim = redis.call('HMGET', order, 'state', 'reason', 'next_ask_at_ms', 'asked', 'claimed_at_ms', 'venue_ms',
  'window_end_ms', 'settled_at_ms')
local state, reason, next_at, asked = unpack(claim, 1, 4)
local claimed_at, venue_ms, window_end, settled_at = unpack(claim, 5, 8)

local now = now_ms()
local is_open = state == 'SENT' or state == 'UNKNOWN'
local is_late = ended_absent(state, reason) and now - tonumber(settled_at) <= late_ms
if not is_open and not is_late then
  redis.call('ZREM', absent, plan_id)
  -- Without an order key the copy stays: the claim is rebuilt from it (orders/keep_absent).
  if state then redis.call('HDEL', absent_claims, plan_id) end
  return { 'NOTHING' }
end

local left, longest = tonumber(next_at or '0') - now, is_late and late_longest_ms or longest_ms
if state == 'SENT' then
  -- Until the send window ends, the claiming process may still be waiting for the answer.
  longest = tonumber(window_end) - tonumber(venue_ms)
  left = tonumber(claimed_at) + longest - now
end
if left > 0 and left <= longest then return { 'LATER', int(left) } end
redis.call('HSET', order, 'next_ask_at_ms', int(now + lease_ms))
return { 'ASK', tostring(redis.call('HINCRBY', order, 'asked', 1) - 1) }
