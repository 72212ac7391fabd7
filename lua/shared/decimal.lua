-- Decimals as plain text, without an exponent: exact, whatever the number of digits.
--@include shared/exact.lua
-- No quantity needs more.
local DECIMALS_MAX = 20

-- A named number of a JSON text, with all digits as written: a double keeps only 15 to 17. nil for nan, inf, 0 and numbers
-- that round to 0. Decimals beyond DECIMALS_MAX are cut off, which never increases the number.
local function written(json, name, number)
  if type(number) ~= 'number' or number - number ~= 0 then return nil end
  local text
  for literal in json:gmatch('"' .. name .. '"%s*:%s*(%-?%d[%d%.eE+-]*)') do
    -- The same name may occur elsewhere in the text.
    if tonumber(literal) == number then text = literal end
  end
  -- A name that is written with escapes is not found; then the result is the shortest text that parses to the same double.
  for digits = 15, 17 do
    text = text or string.format('%.' .. digits .. 'g', number)
    if tonumber(text) ~= number then text = nil end
  end
  local sign, before, after, exponent = text:match('^(%-?)(%d+)%.?(%d*)[eE]?([+-]?%d*)$')
  if not before then return nil end
  local digits, point = before .. after, #before + (tonumber(exponent) or 0)
  digits = string.rep('0', -point) .. digits .. string.rep('0', point - #digits)
  point = math.max(point, 0)
  local fraction = digits:sub(point + 1, point + DECIMALS_MAX):gsub('0+$', '')
  local integer = whole('0' .. digits:sub(1, point))
  if integer == '0' and fraction == '' then return nil end
  return sign .. integer .. (fraction == '' and '' or '.' .. fraction)
end

-- Whether one non-negative number of this form is greater than another.
local function above(a, b)
  local before_a, after_a = a:match('^(%d+)%.?(%d*)$')
  local before_b, after_b = b:match('^(%d+)%.?(%d*)$')
  if not before_a or not before_b then error('not a quantity: ' .. a .. ' or ' .. b) end
  local places = math.max(#after_a, #after_b)
  return more(whole(before_a .. after_a .. string.rep('0', places - #after_a)),
    whole(before_b .. after_b .. string.rep('0', places - #after_b)))
end
