-- Why everything is halted now, or nil. The kill switch is off only when absent or 0/false/off/no; any other value,
-- and a key that cannot be read, halts (docs/wire.md, "Keys"). A disarm key halts if it exists, whatever it holds.
-- No script that includes this changes the answer, so a step checks once.
local RUNNING = { ['0'] = true, ['false'] = true, ['off'] = true, ['no'] = true }
local step_halts = {}
local function halted(kill_switch, disarm, disarm_today)
  if step_halts[disarm_today] == nil then
    -- Mostly none of the three is there, and one command says so.
    local is_any = redis.call('EXISTS', kill_switch, disarm, disarm_today) > 0
    local value = is_any and redis.pcall('GET', kill_switch)
    local runs = not value or type(value) == 'string' and RUNNING[value:lower():match('^%s*(.-)%s*$')]
    step_halts[disarm_today] = not runs and 'kill_switch_active'
      or is_any and redis.call('EXISTS', disarm, disarm_today) > 0 and 'disarmed'
  end
  return step_halts[disarm_today] or nil
end
