-- Why everything is stopped now, or nil. The kill switch runs only when absent or 0/false/off/no; any other value,
-- and a key that cannot be read, halts (docs/wire.md, "Keys"). A disarm key halts by being there, whatever it holds.
-- Nothing that a script with this in it writes changes the answer, so one step asks once.
local RUNNING = { ['0'] = true, ['false'] = true, ['off'] = true, ['no'] = true }
local step_halts = {}
local function halted(kill_switch, disarm, disarm_today)
  if step_halts[disarm_today] == nil then
    local value = redis.pcall('GET', kill_switch)
    local runs = not value or type(value) == 'string' and RUNNING[value:lower():match('^%s*(.-)%s*$')]
    step_halts[disarm_today] = not runs and 'kill_switch_active'
      or redis.call('EXISTS', disarm, disarm_today) > 0 and 'disarmed'
  end
  return step_halts[disarm_today] or nil
end
