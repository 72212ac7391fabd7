-- What an issuer has promised and what was charged, for one symbol. Amounts are integers (1e-8 of a unit), their sums
-- stay below 2^53. An open reservation is a plan's attempt whose result has not come; it expires by itself only after
-- every moment at which an order could still come of it. Totals are kept so that no check walks the reservations.
--
--   open        HASH attempt → its amounts as JSON        expiry     ZSET attempt → ms
--   totals      HASH reserved:<amount>, charged:<amount>, day          executions ZSET attempt → ms, reserved and executed
local DAY_MS, HOUR_MS = 86400000, 3600000
local EXPIRED_PER_CALL = 100

local function utc_day(now) return int(math.floor(now / DAY_MS)) end

local function drop(open, expiry, totals, attempt)
  local amounts = redis.call('HGET', open, attempt)
  if not amounts then return false end
  for name, amount in pairs(cjson.decode(amounts)) do
    redis.call('HINCRBY', totals, 'reserved:' .. name, int(-amount))
  end
  redis.call('HDEL', open, attempt)
  redis.call('ZREM', expiry, attempt)
  return true
end

-- The attempts whose reservation has run out: read by the checks, dropped with the writes.
local function run_out(expiry, now)
  return redis.call('ZRANGEBYSCORE', expiry, '-inf', int(now), 'LIMIT', 0, EXPIRED_PER_CALL)
end

-- Charged today: yesterday's sums are worth nothing, and are overwritten by the next charge.
local function charged(totals, now, name)
  if redis.call('HGET', totals, 'day') ~= utc_day(now) then return 0 end
  return tonumber(redis.call('HGET', totals, 'charged:' .. name) or '0')
end
