-- Whether an order ended because the exchange denied it, for long enough or until an operator said so. It is asked about for a while longer, in case it shows up.
local function ended_absent(state, reason)
  return state == 'NOT_PLACED' and (reason == 'not_placed_by_evidence' or reason == 'not_placed_by_operator')
end
