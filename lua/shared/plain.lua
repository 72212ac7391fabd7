-- A number as the shortest plain decimal that reads back the same (cjson would print 14 digits, tostring exponents).
-- nil for nan, inf and what needs more than 20 decimals: no quantity does.
local function plain(number)
  for decimals = 0, 20 do
    local text = string.format('%.' .. decimals .. 'f', number)
    if tonumber(text) == number and number - number == 0 then return text end
  end
end
