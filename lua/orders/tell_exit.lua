-- Tells an operator, in the record of an exit's plan, what the executor has found. The operators' reset may have deleted the
-- record; then nothing is left to tell it in.
--
-- KEYS
--   plan         HASH, the plan's record
-- ARGV
--   attempt      the exit's attempt
--   field        exit_report or exit_left
--   value        JSON; a signed position, or ''
-- REPLY
--   TOLD
--   GONE         there is no record of this attempt; nothing was changed
local plan = KEYS[1]
local attempt, field, value = unpack(ARGV)
local FIELDS = { ['exit_report'] = true, ['exit_left'] = true }
if not FIELDS[field] then error('no field of an exit: ' .. field) end
if redis.call('HGET', plan, 'attempt') ~= attempt then return { 'GONE' } end
redis.call('HSET', plan, field, value)
return { 'TOLD' }
