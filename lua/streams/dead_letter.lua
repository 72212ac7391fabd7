-- Moves one entry of a consumer group to the dead-letter stream with its reason: appended and acknowledged in one step,
-- so it can be neither lost nor doubled. No group reads dead letters, so they are kept to a bound here.
--
-- KEYS
--   stream       the entry's stream
--   dead         the dead-letter stream
-- ARGV
--   group        consumer group
--   entry_id     in `stream`
--   reason       in one line
--   deliveries   how often it was delivered
--   ...fields    the entry's fields and values
-- REPLY
--   MOVED        id of the dead letter
--   REPLAYED     the entry was not pending; nothing was changed
--@include shared/now.lua
local stream, dead = KEYS[1], KEYS[2]
local group, entry_id, reason, deliveries = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local KEPT = 10000
-- By Redis's estimate. Large letters leave room for fewer.
local KEPT_BYTES = 64 * 1024 * 1024

if #redis.call('XPENDING', stream, group, entry_id, entry_id, 1) == 0 then return { 'REPLAYED' } end
local kept = KEPT
local bytes = redis.call('MEMORY', 'USAGE', dead)
if bytes and bytes > KEPT_BYTES then
  kept = math.min(KEPT, math.floor(redis.call('XLEN', dead) * KEPT_BYTES / bytes))
end
local fields = { unpack(ARGV, 5) }
for i = 1, #fields, 2 do fields[i] = 'entry.' .. fields[i] end
local id = redis.call('XADD', dead, 'MAXLEN', '~', kept, '*', 'stream', stream, 'group', group, 'entry_id', entry_id, 'reason', reason,
  'deliveries', deliveries, 'dead_at_ms', int(now_ms()), unpack(fields))
redis.call('XACK', stream, group, entry_id)
return { 'MOVED', id }
