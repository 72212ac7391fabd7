-- One issuer's answer to a plan's attempt, by what its permit key and its block key hold: 'granted' with its permit and the
-- permit's text, 'denied' with the issuer's reason, 'malformed' with our reason, or 'missing'. The wire's field names are used
-- only here. A permit of another attempt counts as missing. A bare permit is the text 1: it has no attempt, symbol, quantity
-- or cap.
local SIGNED_LENGTH_MAX = 1024

local function text(value) return type(value) == 'string' and value or '' end

-- What the keys hold, by key: text; false where there is none; an error where it is no text. And false if none of the other
-- keys is there: the command that finds no text asks for them, too.
local function texts_of(keys, ...)
  local texts, absent, others = {}, {}, { ... }
  for i, text in ipairs(redis.call('MGET', unpack(keys))) do
    texts[keys[i]] = text
    if not text then
      absent[#absent + 1] = keys[i]
      others[#others + 1] = keys[i]
    end
  end
  -- MGET takes a key of the wrong type for none.
  local is_any = redis.call('EXISTS', unpack(others)) > 0
  for _, key in ipairs(is_any and absent or {}) do texts[key] = redis.pcall('GET', key) end
  return texts, is_any
end

local function judge(issuer, field, value, block, symbol, attempt)
  if block then
    local ok, body = pcall(cjson.decode, text(block))
    if not ok or type(body) ~= 'table' then return 'denied', 'unreadable_block' end
    if body.attempt == nil or body.attempt == attempt then return 'denied', text(body.reason) end
  end
  if not value then return 'missing' end
  local malformed = 'invalid_' .. issuer .. '_permit_format'
  if field == 'bare' then
    if value == '1' then return 'granted', {}, value end
    return 'malformed', malformed
  end
  value = text(value)
  -- The signed text is more than half of a permit: it need not be decoded, nor searched for numbers.
  local _, from = value:find('"signed": "', 1, true)
  local to = from and value:find('"', from + 1, true)
  local cut = to and value:sub(from + 1, to - 1)
  -- Escapes are left to the decoder.
  if cut and cut:find('\\', 1, true) then cut = nil end
  if cut then value = value:sub(1, from) .. value:sub(to) end
  local ok, permit = pcall(cjson.decode, value)
  if not ok or type(permit) ~= 'table' then return 'malformed', malformed end
  if permit.signed == '' and cut ~= '' then permit.signed = cut end
  if permit.attempt ~= nil and permit.attempt ~= attempt then return 'missing' end
  if permit.symbol ~= symbol then return 'malformed', malformed end
  if permit[field] == false then return 'denied', text(permit.reason) end
  if permit[field] ~= true or (permit.consumed ~= nil and permit.consumed ~= false) then return 'malformed', malformed end
  -- A text longer than any permit, or of several lines, is none.
  local signed = permit.signed
  if signed ~= nil and (type(signed) ~= 'string' or #signed > SIGNED_LENGTH_MAX or signed:find('\n', 1, true)) then
    return 'malformed', malformed
  end
  -- cjson accepts numbers that are not JSON: 0x10 as 16, 010 as 10.
  if value:find(':%s*-?0[%dxX]') then return 'malformed', malformed end
  return 'granted', permit, value
end
