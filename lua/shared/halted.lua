-- What the mark of the wire's kill switch says against going on, or nil: only a mark that says `running`, and that a watcher
-- has renewed within this time, lets anything pass (docs/wire.md, "Partitions").
local SEEN_WITHIN_MS = 5000
local function unseen(mark)
  local text = redis.pcall('GET', mark)
  local at, word = (type(text) == 'string' and text or ''):match('^(%d+) (%l+)$')
  local age_ms = at and now_ms() - tonumber(at)
  if not age_ms or age_ms < 0 or age_ms > SEEN_WITHIN_MS then return 'kill_switch_unread' end
  if word == 'running' then return nil end
  return word == 'halted' and 'kill_switch_active' or 'kill_switch_unread'
end

-- Why everything is halted now, or nil. The kill switch is off only when absent or 0/false/off/no; any other value,
-- and a key that cannot be read, halts (docs/wire.md, "Keys"). A disarm key halts if it exists, whatever it holds.
-- In the wire's layout the kill switch is itself the mark, and there is nothing more to read. `is_none`: the caller has found
-- that none of the kill switch and the disarm keys exists. Includes of this come after shared/now.lua.
-- No script that includes this changes the answer, so a step checks once for a day.
local halted_day, halt_of_day
local function halted(kill_switch, mark, disarm, disarm_today, is_none)
  if halted_day ~= disarm_today then
    -- Mostly none of the three is there, and one command says so.
    local is_any = not is_none and redis.call('EXISTS', kill_switch, disarm, disarm_today) > 0
    local value = is_any and redis.pcall('GET', kill_switch)
    local word = type(value) == 'string' and value:lower():match('^%s*(.-)%s*$')
    local runs = not value or word == '0' or word == 'false' or word == 'off' or word == 'no'
    halt_of_day = not runs and 'kill_switch_active'
      or mark ~= kill_switch and unseen(mark)
      or is_any and redis.call('EXISTS', disarm, disarm_today) > 0 and 'disarmed' or nil
    halted_day = disarm_today
  end
  return halt_of_day
end
