-- Why everything is halted now, or nil. The kill switch is off only when absent or 0/false/off/no; any other value,
-- and a key that cannot be read, halts (docs/wire.md, "Keys"). A disarm key halts if it exists, whatever it holds.
-- No script that includes this changes the answer, so a step checks once for a day.
local halted_day, halt_of_day
local function halted(kill_switch, disarm, disarm_today)
  if halted_day ~= disarm_today then
    -- Mostly none of the three is there, and one command says so.
    local is_any = redis.call('EXISTS', kill_switch, disarm, disarm_today) > 0
    local value = is_any and redis.pcall('GET', kill_switch)
    local word = type(value) == 'string' and value:lower():match('^%s*(.-)%s*$')
    local runs = not value or word == '0' or word == 'false' or word == 'off' or word == 'no'
    halt_of_day = not runs and 'kill_switch_active'
      or is_any and redis.call('EXISTS', disarm, disarm_today) > 0 and 'disarmed' or nil
    halted_day = disarm_today
  end
  return halt_of_day
end
