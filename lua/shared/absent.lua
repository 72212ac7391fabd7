-- State in the order key of an order that was claimed but not placed. It is not NOT_PLACED, which there means that nothing was
-- claimed: scripts up to 14fd32e open and claim such a plan again, whatever else the key holds (I1).
local UNPLACED = 'UNPLACED'

local function outcome_of(state) return state == UNPLACED and 'NOT_PLACED' or state end

-- Whether an order ended because the exchange reported no such order, for long enough or until an operator stated it. It is
-- queried for a while longer, in case it shows up. Earlier versions wrote NOT_PLACED.
local function ended_absent(state, reason)
  return outcome_of(state) == 'NOT_PLACED' and (reason == 'not_placed_by_evidence' or reason == 'not_placed_by_operator')
end
