-- How much an order may take, from the permits that were granted, each with its text: decimal text, exact.
--@include shared/decimal.lua

-- A positive number of a permit, or nil.
local function positive(permit, text, name)
  local number = permit[name]
  return type(number) == 'number' and number > 0 and written(text, name, number) or nil
end

-- The quantity, the position that it was computed from and the lowest cap, nil where there is none; why a permit is
-- not valid, if one is not; and each issuer's cap. The quantity is one issuer's, capped by every permit that names a
-- positive computed_qty (0 or absent: no cap).
local function quantities(permits, texts, quantity_issuer)
  local safe_qty, position_amt, max_qty, flaw
  local caps = {}
  local quantity, text = permits[quantity_issuer], texts[quantity_issuer]
  if quantity then
    safe_qty = positive(quantity, text, quantity.safe_close_qty and 'safe_close_qty' or 'safe_qty')
    position_amt = written(text, 'exchange_position_amt', quantity.exchange_position_amt)
    if not position_amt then flaw = 'invalid_' .. quantity_issuer .. '_permit_format'
    elseif not safe_qty then flaw = 'invalid_safe_close_qty' end
  end
  for issuer, permit in pairs(permits) do
    local cap = permit.computed_qty
    if cap ~= nil and cap ~= 0 then
      local decimal = positive(permit, texts[issuer], 'computed_qty')
      if not decimal then flaw = flaw or ('invalid_' .. issuer .. '_permit_format')
      elseif not max_qty or above(max_qty, decimal) then max_qty = decimal end
      caps[issuer] = decimal
    end
  end
  return safe_qty, position_amt, max_qty, flaw, caps
end
