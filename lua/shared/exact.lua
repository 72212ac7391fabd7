-- Non-negative whole numbers of any size, as decimal text: a double holds them exactly up to 2^53 only.
local LIMB_DIGITS, LIMB = 15, 1e15

-- An amount in any stored form, as that text: absent and negative amounts are 0. Earlier versions wrote numbers.
local function whole(value)
  if type(value) == 'string' and value:find('^[1-9]%d*$') then return value end
  if type(value) == 'number' then value = string.format('%.0f', value) end
  local digits = (value or '0'):match('^0*(%d+)$')
  if not digits and not (value or ''):find('^%-%d+$') then error('not an amount: ' .. tostring(value)) end
  return digits or '0'
end

-- Both padded with zeros to the same number of whole limbs.
local function limbs(a, b)
  local length = math.ceil(math.max(#a, #b) / LIMB_DIGITS) * LIMB_DIGITS
  return string.rep('0', length - #a) .. a, string.rep('0', length - #b) .. b, length
end

local function plus(a, b)
  if #a <= LIMB_DIGITS and #b <= LIMB_DIGITS then return string.format('%d', a + b) end
  local left, right, length = limbs(a, b)
  local sum, carry = '', 0
  for last = length, LIMB_DIGITS, -LIMB_DIGITS do
    local first = last - LIMB_DIGITS + 1
    local limb = tonumber(left:sub(first, last)) + tonumber(right:sub(first, last)) + carry
    carry = limb >= LIMB and 1 or 0
    sum = string.format('%015.0f', limb - carry * LIMB) .. sum
  end
  return whole(carry .. sum)
end

-- Digits are in their order in every locale, so texts of one length compare as their numbers do.
local function more(a, b)
  if #a ~= #b then return #a > #b end
  return a > b
end

-- Never below 0: an amount that is released twice, or after its total was lost, must not create free capacity.
local function minus(a, b)
  if not more(a, b) then return '0' end
  if #a <= LIMB_DIGITS then return string.format('%d', a - b) end
  local left, right, length = limbs(a, b)
  local rest, borrowed = '', 0
  for last = length, LIMB_DIGITS, -LIMB_DIGITS do
    local first = last - LIMB_DIGITS + 1
    local limb = tonumber(left:sub(first, last)) - tonumber(right:sub(first, last)) - borrowed
    borrowed = limb < 0 and 1 or 0
    rest = string.format('%015.0f', limb + borrowed * LIMB) .. rest
  end
  return whole(rest)
end
