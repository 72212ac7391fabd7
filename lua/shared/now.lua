-- Milliseconds since the epoch, by Redis's clock: the only clock that scripts decide by.
local function now_ms()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
-- Lua 5.1 prints large numbers as 1.79e+15, so times become text only here.
local function int(number) return string.format('%.0f', number) end
