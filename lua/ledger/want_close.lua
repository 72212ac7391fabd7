-- Keeps since when a close of a symbol has been proposed without any execution. A later proposal leaves the time as it is; the
-- first one after an execution of ours starts it again. A flat position, or a proposal that is withdrawn, ends it.
--
-- KEYS
--   wanted       STRING, ms
--   snapshot     HASH
--   ledger       HASH
-- ARGV
--   is_wanted    1 if a close is proposed; 0 if it is withdrawn, or if no order could close the position
--   wanted_sec   TTL of `wanted`
-- REPLY
--   WANTED       since (ms)
--   OVER         no close is wanted, or there is nothing to close
--@include shared/now.lua
local wanted, snapshot, ledger = unpack(KEYS)
local is_wanted, wanted_sec = ARGV[1] == '1', ARGV[2]

local now = now_ms()
-- A position that is not known may be open.
local is_flat = tonumber(redis.call('HGET', snapshot, 'position_amt') or '') == 0
local executed = tonumber(redis.call('HGET', ledger, 'last_executed_at_ms') or '') or 0
-- A value of the wrong type says nothing and is replaced.
local text = redis.pcall('GET', wanted)
local since = type(text) == 'string' and tonumber(text)

if not is_wanted or is_flat then
  redis.call('DEL', wanted)
  return { 'OVER' }
end
-- From the future: Redis's clock has stepped back since.
if not since or since > now or since <= executed then since = now end
redis.call('SET', wanted, int(since), 'EX', wanted_sec)
return { 'WANTED', int(since) }
