-- Writes a snapshot's time forward: the exchange's stream was alive until then and has told nothing that is not in the pair.
-- Only if both halves are what the caller knows. Another program that writes a pair changes its time or its amount.
--
-- KEYS
--   snapshot     HASH
--   ledger       HASH
-- ARGV
--   version      of the pair
--   ts_epoch     the snapshot's time so far
--   amount       the ledger's amount
--   alive_epoch  the snapshot's new time
--   fingerprint  of the snapshot with its new time
--   snapshot_sec TTL
--   ledger_sec   TTL
-- REPLY
--   KEPT
--   CHANGED      the ledger's version or ''; nothing was changed
local snapshot, ledger = KEYS[1], KEYS[2]
local version, ts_epoch, amount, alive_epoch = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local fingerprint, snapshot_sec, ledger_sec = ARGV[5], ARGV[6], ARGV[7]

-- A half of the wrong type is not what the caller knows.
local here = redis.pcall('HMGET', snapshot, 'version', 'ts_epoch')
local there = redis.pcall('HMGET', ledger, 'version', 'last_known_amt')
if here.err or there.err then return { 'CHANGED', '' } end
if here[1] ~= version or here[2] ~= ts_epoch or there[1] ~= version or there[2] ~= amount then
  return { 'CHANGED', there[1] or '' }
end
redis.call('HSET', snapshot, 'ts_epoch', alive_epoch, 'fingerprint', fingerprint)
redis.call('EXPIRE', snapshot, snapshot_sec)
redis.call('EXPIRE', ledger, ledger_sec)
return { 'KEPT' }
