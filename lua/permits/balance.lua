-- Rebuilds the sums of one issuer and symbol where they do not match their parts: reserved amounts from the open
-- reservations, today's charges from the charges. A total whose reservation was lost would stay reserved forever,
-- and a total that was lost or written by another program would allow what the day has already used. Everything is read, compared and
-- rewritten in one step, so nothing that is reserved meanwhile is missed.
-- Future timestamps, written while Redis's clock was ahead, become now, once, and age from there. Otherwise a reservation
-- would stay, or an execution count, until that time.
--
-- KEYS
--   open         HASH of the reservations of this issuer and symbol, see permits/reservations.lua
--   expiry       ZSET
--   totals       HASH
--   executions   ZSET
--   charges      HASH
-- ARGV
--   reserve_ms   when a reservation made now expires
--   counts       1 if the issuer's limits count executions, else 0
-- REPLY
--   BALANCED     nothing was changed
--   CORRECTED    what did not match, in words
--@include shared/now.lua
--@include shared/hash_table.lua
--@include permits/reservations.lua
local open, expiry, totals, executions, charges = unpack(KEYS)
local reserve_ms, counts = tonumber(ARGV[1]), ARGV[2] == '1'
-- More keys are read only if something is wrong, because this runs every few seconds.
local COUNTED_MAX = 5000

local now = now_ms()
local expires = now + reserve_ms
local today = utc_day(now)
local reserved, kept = hash(open), hash(totals)
local was_sealed = kept.seal and is_sealed(kept)
local is_right = holds(kept, open, charges) and not (counts and lacks_counts(redis.call('ZCARD', executions), open, charges))
local function scores(...)
  local flat, found = redis.call(...), {}
  for i = 1, #flat, 2 do found[flat[i]] = tonumber(flat[i + 1]) end
  return found
end
local times = scores('ZRANGE', expiry, 0, -1, 'WITHSCORES')
local counted = scores('ZREVRANGEBYSCORE', executions, '+inf', int(horizon(now)), 'WITHSCORES', 'LIMIT', 0, is_right and COUNTED_MAX or -1)
local charged_for = is_right and redis.call('HLEN', charges) > COUNTED_MAX and {} or hash(charges)

local corrected = {}
local function correct(what, ...)
  corrected[#corrected + 1] = what
  redis.call(...)
end

local function amounts_of(text)
  local amounts = {}
  for name, amount in pairs(cjson.decode(text)) do amounts[name] = whole(amount) end
  return amounts
end
local function add(sums, kind, amounts)
  for name, amount in pairs(amounts) do sums[kind .. name] = plus(sums[kind .. name] or '0', amount) end
end

local sums, is_open, is_charged, knows_all, has_today = {}, {}, {}, true, false
for attempt, text in pairs(reserved) do
  local ok, amounts = pcall(amounts_of, text)
  if ok then
    is_open[attempt] = true
    add(sums, 'reserved:', amounts)
  else
    correct('unreadable ' .. attempt, 'HDEL', open, attempt)
  end
end
for execution, text in pairs(charged_for) do
  local at, json = text:match('^(%d+) (.*)$')
  local ok, amounts = pcall(amounts_of, json)
  at = ok and tonumber(at)
  if at and at > now then
    at = now
    correct('future time of ' .. execution, 'HSET', charges, execution, int(now) .. ' ' .. json)
  end
  if not at then
    knows_all = false
    correct('unreadable charge ' .. execution, 'HDEL', charges, execution)
  elseif at < horizon(now) then
    if not counted[execution] then redis.call('HDEL', charges, execution) end
  else
    is_charged[execution] = true
    if utc_day(at) == today then
      has_today = true
      add(sums, 'charged:', amounts)
    end
    if not counted[execution] then correct('no count of ' .. execution, 'ZADD', executions, int(at), execution) end
  end
end

for attempt, at in pairs(times) do
  if not is_open[attempt] then correct('time of ' .. attempt, 'ZREM', expiry, attempt)
  elseif at > expires then correct('future time of ' .. attempt, 'ZADD', expiry, int(expires), attempt) end
end
for attempt in pairs(is_open) do
  if not times[attempt] then correct('no time of ' .. attempt, 'ZADD', expiry, int(expires), attempt) end
  if counts and not redis.call('ZSCORE', executions, attempt) then
    correct('no count of ' .. attempt, 'ZADD', executions, int(math.min((times[attempt] or expires) - reserve_ms, now)), attempt)
  end
end
for execution, at in pairs(counted) do
  if not is_order(execution) and not is_open[execution] then correct('count of ' .. execution, 'ZREM', executions, execution)
  elseif at > now then correct('future time of ' .. execution, 'ZADD', executions, int(now), execution) end
  if is_order(execution) and utc_day(math.min(at, now)) == today and not is_charged[execution] then
    -- Charged by a version that kept no charges, or its charge was lost.
    knows_all = false
  end
end

-- A sum that is sealed is what the scripts have added, and so it stands even where its charges are gone. One that is
-- not is worth nothing, unless it sums what is known nowhere else: then the larger counts.
local day = tonumber(kept.day)
local is_of_today = day and day >= today
local wrong = {}
for field, text in pairs(kept) do
  local is_reserved, is_charge = field:find('reserved:', 1, true) == 1, field:find('charged:', 1, true) == 1
  if is_reserved or is_charge and (is_of_today or has_today) then
    local ok, total = pcall(whole, text)
    local sum = sums[field] or '0'
    local stands = is_charge and is_of_today and (was_sealed or not knows_all)
    if ok and stands and more(total, sum) then sum = total end
    if text ~= sum then wrong[field] = sum end
    sums[field] = nil
  end
end
for field, sum in pairs(sums) do wrong[field] = sum end
for field, sum in pairs(wrong) do correct(field .. ' ' .. sum, 'HSET', totals, field, sum) end
if has_today and not is_of_today then correct('day ' .. today, 'HSET', totals, 'day', int(today))
elseif kept.day and not day then correct('day', 'HDEL', totals, 'day') end
if #corrected == 0 and is_right then return { 'BALANCED' } end
-- Whoever decided by the old sums decides again. What is no number of releases would stop each further one: it goes on from
-- a number that nobody has decided by.
local releases = kept.releases or '0'
local counts_on = releases:find('^%d+$') and #releases <= LIMB_DIGITS
redis.call('HSET', totals, 'releases', counts_on and plus(releases, '1') or int(now))
local sums_now = hash(totals)
if next(sums_now) then redis.call('HSET', totals, 'seal', seal_of(sums_now)) end
return { 'CORRECTED', table.concat(#corrected > 0 and corrected or { 'seal' }, ', ') }
