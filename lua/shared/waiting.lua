-- Whether a waiting plan's record has the fields that its result and its handover need. Other programs may have written to it:
-- a record with a missing or malformed field counts as lost (plans/look_after), and no permits are spent by it.
-- A symbol's letters may be of any script, in UTF-8.
local MODES = { dry_run = true, paper = true, testnet = true }
local NEEDED = { symbol = '^[%w_\128-\244]+$', attempt = '^%d+%-%d+$', attempt_no = '^[1-9]%d*$', step = '^', close_pct = '^%d+%.?%d*$',
  opened_at_ms = '^%d+$', deadline_ms = '^%d+$' }

local function can_wait(record)
  for field, form in pairs(NEEDED) do
    if not record[field] or not record[field]:find(form) then return false end
  end
  return MODES[record.mode or ''] ~= nil
end
