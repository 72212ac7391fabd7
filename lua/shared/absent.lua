-- What the order key calls an order that was claimed and came to nothing. Not NOT_PLACED, which says there that nothing was
-- claimed: up to 14fd32e the scripts open and claim such a plan again, whatever else the key holds (I1).
local UNPLACED = 'UNPLACED'

local function outcome_of(state) return state == UNPLACED and 'NOT_PLACED' or state end

-- Whether an order ended because the exchange denied it, for long enough or until an operator said so. It is asked about for
-- a while longer, in case it shows up. Versions before wrote NOT_PLACED.
local function ended_absent(state, reason)
  return outcome_of(state) == 'NOT_PLACED' and (reason == 'not_placed_by_evidence' or reason == 'not_placed_by_operator')
end
