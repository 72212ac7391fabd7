-- What an issuer has reserved and charged for one symbol. Amounts are whole numbers of 1e-8 of a unit, of any
-- size and as text (shared/exact.lua). An open reservation is a plan's attempt whose result has not come; it expires by itself only after
-- every moment at which an order could still come of it. Totals are kept so that no check walks the reservations.
-- Attempts of plans without a record are kept by the plan's id, because the results of such plans name no attempt.
--
--   open        HASH attempt → its amounts as JSON        expiry     ZSET attempt → ms
--   totals      HASH reserved:<amount>, charged:<amount>, day, and releases: how many reservations have ended of which an order may
--               have filled. A limit computed before such an end may be too high: the position shrank with the reservation.
--               seal: a copy of the other fields as JSON. If it does not match them, another program has written to the sums
--   executions  ZSET → ms, of this UTC day and the last hour, and older ones until the next charge: reserved ones by
--               attempt, executed ones by `result:` and the result, or `attempt:` and the attempt
--   charges     HASH executed one → when (ms) and, behind a space, what was charged as JSON; kept as long as `executions`
--
-- Future timestamps, written while Redis's clock was ahead, count until the bookkeeping (permits/balance.lua) has replaced
-- them by now. Every window is open towards the future, so they never create free capacity.
--@include shared/exact.lua
local DAY_MS, HOUR_MS = 86400000, 3600000
local EXPIRED_PER_CALL, FORGOTTEN_PER_CALL = 100, 1000

local function utc_day(ms) return math.floor(ms / DAY_MS) end

-- Older ones no longer count for any limit.
local function horizon(now) return math.min(now - HOUR_MS, now - now % DAY_MS) end

-- Whether a member of executions stands for an order, not for a reservation that may not lead to one.
local function is_order(member) return member:find('^result:') ~= nil or member:find('^attempt:') ~= nil end

local function orders_since(executions, from)
  local orders = 0
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', executions, int(from), '+inf')) do
    if is_order(member) then orders = orders + 1 end
  end
  return orders
end

-- The totals of one step: read once, changed in memory, and written together with their seal, a copy of the others.
local function seal_of(sums)
  local seal = sums.seal
  sums.seal = nil
  local copy = cjson.encode(sums)
  sums.seal = seal
  return copy
end

local function is_sealed(sums)
  -- The order of the fields may have changed, but hardly ever has.
  if sums.seal == seal_of(sums) then return true end
  local ok, copy = pcall(cjson.decode, sums.seal)
  if not ok or type(copy) ~= 'table' then return false end
  copy.seal = sums.seal
  for field, value in pairs(sums) do
    if copy[field] ~= value then return false end
    copy[field] = nil
  end
  return next(copy) == nil
end

-- Whether the totals are as a script left them. Without a seal they are where nothing is there that they could lack.
local function holds(sums, open, charges)
  if sums.seal then return is_sealed(sums) end
  return redis.call('HLEN', open) == 0 and redis.call('HLEN', charges) == 0
end

local function read_sums(totals, open, charges)
  local values = hash(totals)
  return { values = values, writes = {}, were_right = holds(values, open, charges) }
end

local function set(sums, field, value)
  sums.values[field] = value
  local writes = sums.writes
  writes[#writes + 1] = field
  writes[#writes + 1] = value
end

-- Makes one total the sum (plus) or the difference (minus) of itself and an amount.
local function change(sums, field, operation, amount)
  set(sums, field, operation(whole(sums.values[field]), whole(amount)))
end

-- A seal only for totals that held before they were changed: what was wrong would be right with a new one.
local function write_sums(totals, sums)
  if #sums.writes == 0 then return end
  if sums.were_right then set(sums, 'seal', seal_of(sums.values)) end
  redis.call('HSET', totals, unpack(sums.writes))
end

-- Ends an open reservation: it no longer reserves, nor counts as an execution. Its sums are released first, in memory, so that one which
-- cannot be read fails before anything is written. Without an order, whatever was decided meanwhile stays right. Returns its amounts, nil
-- if there is none.
local function release(sums, open, attempt, may_have_filled)
  local text = redis.call('HGET', open, attempt)
  if not text then return nil end
  local amounts = cjson.decode(text)
  for name, amount in pairs(amounts) do change(sums, 'reserved:' .. name, minus, amount) end
  if may_have_filled then change(sums, 'releases', plus, '1') end
  return amounts
end

-- `executions` is nil where it is known that the reservation does not count there.
local function remove(open, expiry, executions, attempt)
  if executions then redis.call('ZREM', executions, attempt) end
  redis.call('ZREM', expiry, attempt)
  redis.call('HDEL', open, attempt)
end

-- The attempts whose reservation has run out: read by the checks, dropped with the writes.
local function run_out(expiry, now)
  return redis.call('ZRANGEBYSCORE', expiry, '-inf', int(now), 'LIMIT', 0, EXPIRED_PER_CALL)
end

-- Whether fewer executions are counted than there are reservations and charges: then a limit would allow too many.
local function lacks_counts(executions, open, charges)
  return executions < redis.call('HLEN', open) + redis.call('HLEN', charges)
end

-- What is older than `horizon` counts for no limit.
local function forget_executions(executions, charges, now)
  local bound = '(' .. int(horizon(now))
  for _, execution in ipairs(redis.call('ZRANGEBYSCORE', executions, '-inf', bound, 'LIMIT', 0, FORGOTTEN_PER_CALL)) do
    redis.call('ZREM', executions, execution)
    redis.call('HDEL', charges, execution)
  end
end

-- Charged today: yesterday's sums are worth nothing, and the next charge deletes them. A future day counts as today.
local function charged(sums, now, name)
  return whole(tonumber(sums.day or '-1') >= utc_day(now) and sums['charged:' .. name])
end

-- What was executed counts by its number and, today, by its amounts.
local function charge(sums, totals, executions, charges, now, execution, at, amounts)
  redis.call('HSET', charges, execution, int(at) .. ' ' .. cjson.encode(amounts))
  redis.call('ZADD', executions, int(at), execution)
  local today = utc_day(now)
  -- Yesterday's adds to no sum, but where charges are, the totals need a seal.
  if utc_day(at) ~= today then return set(sums, 'releases', sums.values.releases or '0') end
  local day = tonumber(sums.values.day or '-1')
  if day ~= today then
    if day <= today then
      for field in pairs(sums.values) do
        if field:find('charged:', 1, true) == 1 then
          redis.call('HDEL', totals, field)
          sums.values[field] = nil
        end
      end
    end
    set(sums, 'day', int(today))
  end
  for name, amount in pairs(amounts) do change(sums, 'charged:' .. name, plus, amount) end
end
