-- Text as a JSON string.
local function quoted(text) return '"' .. text:gsub('[%c"\\]', function(c) return string.format('\\u%04x', c:byte()) end) .. '"' end
