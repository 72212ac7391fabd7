-- Why everything is stopped now, or nil. The kill switch runs only when absent or 0/false/off/no; any other value,
-- and a key that cannot be read, halts (WIRE.md, "Keys"). A disarm key halts by being there, whatever it holds.
local RUNNING = { ['0'] = true, ['false'] = true, ['off'] = true, ['no'] = true }
local function halted(kill_switch, disarm, disarm_today)
  local value = redis.pcall('GET', kill_switch)
  if value and not (type(value) == 'string' and RUNNING[value:lower():match('^%s*(.-)%s*$')]) then
    return 'kill_switch_active'
  end
  if redis.call('EXISTS', disarm, disarm_today) > 0 then return 'disarmed' end
end
