-- Stores a reconciled pair, P3.3's snapshot and ledger of one symbol, under one version. The caller names the
-- version from which it computed the pair. If another refresh was stored in between, nothing is written and the caller reads
-- again, so no fill is applied twice and none is skipped. Invariant I7.
--
-- KEYS
--   snapshot     HASH
--   ledger       HASH
-- ARGV
--   version      the ledger's version that was read, '' if there was none
--   snapshot_sec TTL
--   ledger_sec   TTL
--   snapshot_fields how many of the following are the snapshot's fields and values
--   ...fields    the snapshot's, then the ledger's, fields and values
-- REPLY
--   STORED       new version
--   CONFLICT     the stored version; nothing was changed
--@include shared/now.lua
local snapshot, ledger = KEYS[1], KEYS[2]
local version, snapshot_sec, ledger_sec, snapshot_fields = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local FIRST_FIELD = 5

local there = redis.call('HGET', ledger, 'version') or ''
if there ~= version then return { 'CONFLICT', there } end
-- At least the current time: even if Redis has lost data, a version that some process still holds is never reused.
local next_version = int(math.max((tonumber(version) or 0) + 1, now_ms()))
redis.call('DEL', snapshot)
redis.call('HSET', snapshot, 'version', next_version, unpack(ARGV, FIRST_FIELD, FIRST_FIELD + snapshot_fields - 1))
redis.call('EXPIRE', snapshot, snapshot_sec)
redis.call('HSET', ledger, 'version', next_version, unpack(ARGV, FIRST_FIELD + snapshot_fields))
redis.call('EXPIRE', ledger, ledger_sec)
return { 'STORED', next_version }
