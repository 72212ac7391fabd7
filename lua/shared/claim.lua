-- Whether an order key is damaged, so that its state cannot be read: other programs may have written to it. Like a key of the
-- wrong type it may have been a claim, so it is rebuilt: from its copy, or as a claim that is only queried. An unknown state
-- is not damage if it is a word: a later version may have written it.
-- A claim that is queried needs all its fields; of any other only the owner matters.
local function is_damaged(claim, is_queried)
  if not claim.state then return false end
  local ID = '^%d+%-%d+$'
  if not claim.state:find('^[A-Z_]+$') or not (claim.attempt or ''):find(ID) then return true end
  if not is_queried then return false end
  -- A symbol's letters may be of any script, in UTF-8.
  local FORMS = { plan_id = '^%x+$', symbol = '^[%w_\128-\244]+$', step = '^', entry_id = ID, client_order_id = '.',
    quantity = '^%d+%.?%d*$', claimed_at_ms = '^%d+$', venue_ms = '^%d+$', window_end_ms = '^%d+$' }
  for field, form in pairs(FORMS) do
    if not claim[field] or not claim[field]:find(form) then return true end
  end
  return claim.side ~= 'BUY' and claim.side ~= 'SELL'
end

local function is_unsettled(claim) return claim.state == 'SENT' or claim.state == 'UNKNOWN' end
