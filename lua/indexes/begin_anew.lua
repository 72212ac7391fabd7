-- Deletes an index of the wrong type. Such a key tells nothing and every script that needs it fails; whoever owns the index
-- derives it again. What guards against a second order is never given to this script: it fails closed.
--
-- KEYS
--   index        a key that can be derived again
-- ARGV
--   type         what it must be: hash, zset, set, string
-- REPLY
--   FITS         it is of that type, or absent
--   DELETED      it was of another
local index, type = KEYS[1], ARGV[1]

local there = redis.call('TYPE', index).ok
if there == 'none' or there == type then return { 'FITS' } end
redis.call('DEL', index)
return { 'DELETED' }
