-- Deletes an index of the wrong type. Such a key holds no information, and every script that needs it fails; the owner of the
-- index rebuilds it. Keys that guard against a second order are never passed to this script: they fail closed.
--
-- KEYS
--   index        a key that can be rebuilt
-- ARGV
--   type         what it must be: hash, zset, set, string
-- REPLY
--   FITS         it is of that type, or absent
--   DELETED      it had the wrong type
local index, type = KEYS[1], ARGV[1]

local there = redis.call('TYPE', index).ok
if there == 'none' or there == type then return { 'FITS' } end
redis.call('DEL', index)
return { 'DELETED' }
