-- Makes the sums of one issuer and symbol again from the open reservations, where they disagree: a total that lost its
-- reservation would be promised for ever. Everything is read, compared and rewritten in one step, so nothing that is
-- reserved meanwhile is missed. What was charged is no sum of anything that is kept, and stays.
--
-- KEYS
--   open         reservations of this issuer and symbol, see permits/reservations.lua
--   expiry       ditto
--   totals       ditto
--   executions   ditto
-- ARGV
--   reserve_ms   when a reservation without a time runs out
-- REPLY
--   BALANCED     nothing was changed
--   CORRECTED    what disagreed, in words
--@include shared/now.lua
--@include permits/reservations.lua
local open, expiry, totals, executions = unpack(KEYS)
local reserve_ms = tonumber(ARGV[1])

-- A key of the wrong type fails here, before anything is written.
local reserved = redis.call('HLEN', open) > 0 and redis.call('HGETALL', open) or {}
local kept = redis.call('HGETALL', totals)
local times = redis.call('ZRANGE', expiry, 0, -1)
-- Older ones count for no limit, and an account may have had very many: this is done every few seconds.
local COUNTED_MAX = 2000
local counted = redis.call('ZREVRANGEBYSCORE', executions, '+inf', int(now_ms() - HOUR_MS), 'LIMIT', 0, COUNTED_MAX)

local function read(text)
  local amounts = {}
  for name, amount in pairs(cjson.decode(text)) do amounts['reserved:' .. name] = whole(amount) end
  return amounts
end
local sums, is_open, unreadable = {}, {}, {}
for i = 1, #reserved, 2 do
  local ok, amounts = pcall(read, reserved[i + 1])
  is_open[reserved[i]] = ok or nil
  if not ok then unreadable[#unreadable + 1] = reserved[i] end
  for field, amount in pairs(ok and amounts or {}) do sums[field] = plus(sums[field] or '0', amount) end
end
local wrong = {}
for i = 1, #kept, 2 do
  if kept[i]:find('reserved:', 1, true) == 1 then
    local field, sum = kept[i], sums[kept[i]] or '0'
    local ok, total = pcall(whole, kept[i + 1])
    if not ok or total ~= sum then wrong[field] = sum end
    sums[field] = nil
  end
end
for field, sum in pairs(sums) do wrong[field] = sum end

local corrected = {}
local function correct(what, ...)
  corrected[#corrected + 1] = what
  redis.call(...)
end
for _, attempt in ipairs(unreadable) do correct('unreadable ' .. attempt, 'HDEL', open, attempt) end
local has_time = {}
for _, attempt in ipairs(times) do
  has_time[attempt] = true
  if not is_open[attempt] then correct('time of ' .. attempt, 'ZREM', expiry, attempt) end
end
for attempt in pairs(is_open) do
  if not has_time[attempt] then correct('no time of ' .. attempt, 'ZADD', expiry, int(now_ms() + reserve_ms), attempt) end
end
for _, member in ipairs(counted) do
  if not is_order(member) and not is_open[member] then correct('count of ' .. member, 'ZREM', executions, member) end
end
for field, sum in pairs(wrong) do correct(field .. ' ' .. sum, 'HSET', totals, field, sum) end
if #corrected == 0 then return { 'BALANCED' } end
-- Whoever decided by the old sums decides again.
redis.call('HINCRBY', totals, 'releases', 1)
return { 'CORRECTED', table.concat(corrected, ', ') }
