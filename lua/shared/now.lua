-- Milliseconds since the epoch, by Redis's clock, the only clock that scripts use. It does not advance within a step.
local step_ms
local function now_ms()
  if not step_ms then
    local time = redis.call('TIME')
    step_ms = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
  end
  return step_ms
end
-- Lua 5.1 prints large numbers as 1.79e+15, so times become text only here.
local function int(number) return string.format('%d', number) end
