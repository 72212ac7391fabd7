-- Whether a waiting plan's record has the fields that its result and its handover need. Other programs may have written to it:
-- a record with a missing or malformed field counts as lost (plans/look_after), and no permits are spent by it.
local function fits(text, form) return text ~= nil and text:find(form) ~= nil end

local function can_wait(record)
  local mode = record.mode
  -- A symbol's letters may be of any script, in UTF-8.
  return fits(record.symbol, '^[%w_\128-\244]+$') and fits(record.attempt, '^%d+%-%d+$')
    and fits(record.attempt_no, '^[1-9]%d*$') and record.step ~= nil and fits(record.close_pct, '^%d+%.?%d*$')
    and fits(record.opened_at_ms, '^%d+$') and fits(record.deadline_ms, '^%d+$')
    and (mode == 'dry_run' or mode == 'paper' or mode == 'testnet')
end
