-- Writes a pair's time forward: the exchange's stream was alive until then and has told nothing that is not in the pair. Only
-- if both halves have the version and the time that the caller knows; another program's write changes the time.
--
-- KEYS
--   snapshot     HASH
--   ledger       HASH
-- ARGV
--   version      of the pair
--   ts_epoch     its time so far
--   alive_epoch  its new time
--   snapshot_fingerprint of the snapshot with its new time
--   ledger_fingerprint of the ledger with its new time
--   snapshot_sec TTL
--   ledger_sec   TTL
-- REPLY
--   KEPT
--   CHANGED      the ledger's version or ''; nothing was changed
local snapshot, ledger = KEYS[1], KEYS[2]
local version, ts_epoch, alive_epoch, snapshot_fingerprint = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local ledger_fingerprint, snapshot_sec, ledger_sec = ARGV[5], ARGV[6], ARGV[7]

-- A half of the wrong type is not what the caller knows.
local here = redis.pcall('HMGET', snapshot, 'version', 'ts_epoch')
local there = redis.pcall('HMGET', ledger, 'version', 'updated_at')
if here.err or there.err then return { 'CHANGED', '' } end
if here[1] ~= version or here[2] ~= ts_epoch or there[1] ~= version or there[2] ~= ts_epoch then
  return { 'CHANGED', there[1] or '' }
end
redis.call('HSET', snapshot, 'ts_epoch', alive_epoch, 'fingerprint', snapshot_fingerprint)
redis.call('EXPIRE', snapshot, snapshot_sec)
redis.call('HSET', ledger, 'updated_at', alive_epoch, 'fingerprint', ledger_fingerprint)
redis.call('EXPIRE', ledger, ledger_sec)
return { 'KEPT' }
