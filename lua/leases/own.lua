-- Decides which instance of a service owns what only one may have: the orders (executor), or the booking of the account's
-- events (position-brain). The others stand by and take over when the owner has been silent for a lease. The reply says since
-- when the caller is the owner: it does not know what its predecessor did before. An instance that restarts in time keeps its
-- time.
--
-- KEYS
--   owner        HASH: instance, since_ms, seen_ms of the owner
-- ARGV
--   instance     the caller's name, stable across restarts
--   lease_ms     how long an owner may be silent
--   leaves       1: the caller stops, so the next one that asks becomes the owner; else 0
-- REPLY
--   OWNED        since when (ms), Redis's time (ms)
--   STANDBY      the owner, ms until its lease ends
--   LEFT         the caller's lease is over
--@include shared/now.lua
--@include shared/hash_table.lua
local owner = KEYS[1]
local instance, lease_ms, leaves = ARGV[1], tonumber(ARGV[2]), ARGV[3] == '1'

local now = now_ms()
-- A key of the wrong type, or without an instance, names no owner.
local is_hash, held = pcall(hash, owner)
if not is_hash then held = {} end
local is_own = held.instance == instance
local function time(field) return tonumber((held[field] or ''):match('^%d+$')) end
-- A future time was written before Redis's clock stepped back. It counts as over.
local seen = time('seen_ms')
local left = seen and seen <= now and seen + lease_ms - now or 0

if leaves then
  -- The rest stays: if it is back before another one asks, it keeps the ownership.
  if is_own then redis.call('HSET', owner, 'seen_ms', '0') end
  return { 'LEFT' }
end
if held.instance and not is_own and left > 0 then return { 'STANDBY', held.instance, int(left) } end

local since = time('since_ms')
if not is_own or not since or since > now then since = now end
redis.call('DEL', owner)
redis.call('HSET', owner, 'instance', instance, 'since_ms', int(since), 'seen_ms', int(now))
return { 'OWNED', int(since), int(now) }
