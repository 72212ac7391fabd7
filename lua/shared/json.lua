-- Text as a JSON string.
local function quoted(text) return '"' .. text:gsub('[%c"\\]', function(c) return string.format('\\u%04x', c:byte()) end) .. '"' end
-- JSON as a table, which callers must not change: text that a step meets again, such as the limits of its plans, is parsed once.
local parsed_in_step = {}
local function parsed(text)
  parsed_in_step[text] = parsed_in_step[text] or cjson.decode(text)
  return parsed_in_step[text]
end
