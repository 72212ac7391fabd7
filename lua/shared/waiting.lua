-- Whether the record of a plan that waits holds what its end needs, be it its result or its handover. Anybody may write to
-- it: a field that is gone or garbled makes it as good as lost (plans/look_after), and its permits are not spent by it.
local MODES = { dry_run = true, paper = true, testnet = true }
local NEEDED = { symbol = '^[A-Z0-9_]+$', attempt = '^%d+%-%d+$', attempt_no = '^[1-9]%d*$', step = '^', close_pct = '^%d+%.?%d*$',
  opened_at_ms = '^%d+$', deadline_ms = '^%d+$' }

local function can_wait(record)
  for field, form in pairs(NEEDED) do
    if not record[field] or not record[field]:find(form) then return false end
  end
  return MODES[record.mode or ''] ~= nil
end
