-- Reads P3.3's input for a decision at one moment. A fill moves from the reservations to the position; separate reads could
-- count it twice or not at all. A pair that the caller has already read is not sent again.
--
-- KEYS
--   snapshot     HASH
--   ledger       HASH
--   unknown      SET of this symbol's plans in doubt
--   totals       HASH of P3.3's reservations, see permits/reservations.lua
-- ARGV
--   version      of the pair that the caller has, or ''
--   fingerprint  of its snapshot, whose time may have moved under the same version
--   amount       name of the reserved amount
-- REPLY
--   KNOWN        now (ms), orders in doubt, reserved amount, releases: the pair is still that one
--   STATE        now (ms), orders in doubt, reserved amount, releases, version or '', number of the snapshot's fields and
--                values, these, then the ledger's
--@include shared/now.lua
local snapshot, ledger, unknown, totals = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local version, fingerprint, amount = ARGV[1], ARGV[2], ARGV[3]

local now = int(now_ms())
local doubts = tostring(redis.call('SCARD', unknown))
local reserved, releases = unpack(redis.call('HMGET', totals, 'reserved:' .. amount, 'releases'))
reserved, releases = reserved or '0', releases or '0'
local there = redis.call('HGET', ledger, 'version')
local here = redis.call('HMGET', snapshot, 'version', 'fingerprint')
if there == version and here[1] == version and here[2] == fingerprint then
  return { 'KNOWN', now, doubts, reserved, releases }
end

local fields = redis.call('HGETALL', snapshot)
local length = tostring(#fields)
for _, text in ipairs(redis.call('HGETALL', ledger)) do fields[#fields + 1] = text end
return { 'STATE', now, doubts, reserved, releases, there or '', length, unpack(fields) }
