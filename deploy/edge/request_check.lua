-- Refuses JSON requests that the transcoder would let pass in part: it drops fields and enum values
-- that it does not know, and bends types (measured with Envoy 1.40; there is no option against it).
-- The answer is a google.rpc.Status with the field named, as the services answer themselves.
-- Numbers' ranges, times and base64 are left to the transcoder, which refuses them.

local schema = require("request_schema")
local MAX_DEPTH = 32

local fields_of = {}
for name, fields in pairs(schema.messages) do
  local by_name = {}
  for _, field in ipairs(fields) do
    local known = {
      name = field[2], shape = field[3], kind = field[4],
      values = field[4] == "enum" and field[5] or nil,
      message = field[4] == "message" and field[5] or nil,
    }
    by_name[field[1]] = known
    by_name[field[2]] = known
  end
  fields_of[name] = by_name
end

-- One request's text and how far it is read.
local Reader = {}
Reader.__index = Reader

function Reader:fail(path, what)
  error({ field = path, description = what }, 0)
end

-- Returns the next byte that is no white space, as a character; "" at the end.
function Reader:peek()
  self.at = string.find(self.text, "[^ \t\r\n]", self.at) or #self.text + 1
  return string.sub(self.text, self.at, self.at)
end

function Reader:expect(character, path)
  if self:peek() ~= character then
    self:fail(path, "not valid JSON at byte " .. self.at .. ": '" .. character .. "' expected")
  end
  self.at = self.at + 1
end

-- Returns the string that begins here, escapes as they are written.
function Reader:string(path)
  if self:peek() ~= '"' then
    self:fail(path, "must be a string")
  end
  local from = self.at + 1
  local at = from
  while true do
    local found = string.find(self.text, '["\\]', at)
    if found == nil then
      self:fail(path, "not valid JSON: a string does not end")
    end
    if string.byte(self.text, found) == 34 then
      self.at = found + 1
      return string.sub(self.text, from, found - 1)
    end
    at = found + 2
  end
end

-- Returns the number that begins here.
function Reader:number(path)
  self:peek()
  local _, to = string.find(self.text, "^-?%d+%.?%d*[eE]?[+-]?%d*", self.at)
  local value = to and tonumber(string.sub(self.text, self.at, to))
  if value == nil then
    self:fail(path, "must be a number")
  end
  self.at = to + 1
  return value
end

function Reader:word(word)
  self:peek()
  if string.sub(self.text, self.at, self.at + #word - 1) == word then
    self.at = self.at + #word
    return true
  end
  return false
end

-- Calls member(key, path) for each member of the object that begins here.
function Reader:object(path, depth, member)
  if depth > MAX_DEPTH then
    self:fail(path, "nested too deep")
  end
  if self:peek() ~= "{" then
    self:fail(path, "must be an object")
  end
  self.at = self.at + 1
  if self:peek() == "}" then
    self.at = self.at + 1
    return
  end
  repeat
    local key = self:string(path)
    self:expect(":", path)
    member(key)
    local comma = self:peek() == ","
    if comma then
      self.at = self.at + 1
    end
  until not comma
  self:expect("}", path)
end

-- Calls element(index) for each element of the list that begins here; indexes begin at 0.
function Reader:list(path, depth, element)
  if depth > MAX_DEPTH then
    self:fail(path, "nested too deep")
  end
  if self:peek() ~= "[" then
    self:fail(path, "must be a list")
  end
  self.at = self.at + 1
  if self:peek() == "]" then
    self.at = self.at + 1
    return
  end
  local index = 0
  repeat
    element(index)
    index = index + 1
    local comma = self:peek() == ","
    if comma then
      self.at = self.at + 1
    end
  until not comma
  self:expect("]", path)
end

-- Reads any JSON value.
function Reader:any(path, depth)
  local first = self:peek()
  if first == "{" then
    self:object(path, depth, function() self:any(path, depth + 1) end)
  elseif first == "[" then
    self:list(path, depth, function() self:any(path, depth + 1) end)
  elseif first == '"' then
    self:string(path)
  elseif not (self:word("true") or self:word("false") or self:word("null")) then
    self:number(path)
  end
end

local NOT_FINITE = { NaN = true, Infinity = true, ["-Infinity"] = true }

-- Reads one value of a field: an element, where the field is a list or map.
function Reader:value(field, path, depth)
  local kind = field.kind
  if kind == "message" then
    self:message(field.message, path, depth)
  elseif kind == "string" then
    self:string(path)
  elseif kind == "bool" then
    if not (self:word("true") or self:word("false")) then
      self:fail(path, "must be true or false")
    end
  elseif kind == "integer" or kind == "number" then
    local value
    if self:peek() == '"' then
      local text = self:string(path)
      value = kind == "number" and NOT_FINITE[text] and 0
        or string.find(text, "^-?%d+%.?%d*[eE]?[+-]?%d*$") and tonumber(text)
      if not value then
        self:fail(path, "must be a number")
      end
    else
      value = self:number(path)
    end
    if kind == "integer" and value % 1 ~= 0 then
      self:fail(path, "must be a whole number")
    end
  elseif kind == "enum" then
    if self:peek() == '"' then
      if field.values[self:string(path)] == nil then
        self:fail(path, "is no value of this enum")
      end
    else
      local number = self:number(path)
      local known = false
      for _, each in pairs(field.values) do
        known = known or each == number
      end
      if not known then
        self:fail(path, "is no value of this enum")
      end
    end
  elseif kind == "object" then
    self:object(path, depth, function() self:any(path, depth + 1) end)
  else
    self:any(path, depth)
  end
end

function Reader:message(name, path, depth)
  local fields = fields_of[name]
  local seen = {}
  local prefix = path == "" and "" or path .. "."
  self:object(path, depth, function(key)
    local field = fields[key]
    if field == nil then
      -- What a caller wrote is named in part only, and never with quotes of its own.
      local shown = string.gsub(string.sub(key, 1, 64), "[^%w_%-]", "?")
      self:fail(prefix .. shown, "unknown field")
    end
    local own = prefix .. field.name
    if seen[field.name] then
      self:fail(own, "given twice")
    end
    seen[field.name] = true
    if self:word("null") then
      return -- As JSON of protobuf says: the default.
    elseif field.shape == "list" then
      self:list(own, depth + 1, function(index)
        self:value(field, own .. "[" .. index .. "]", depth + 2)
      end)
    elseif field.shape == "map" then
      self:object(own, depth + 1, function() self:value(field, own, depth + 2) end)
    else
      self:value(field, own, depth + 1)
    end
  end)
end

-- Returns nil when the text is a request of that message, else {field, description}.
local function fault_of(text, message)
  local reader = setmetatable({ text = text, at = 1 }, Reader)
  local fine, fault = pcall(function()
    reader:message(message, "", 1)
    if reader:peek() ~= "" then
      reader:fail("", "not valid JSON: something follows the object")
    end
  end)
  if fine then
    return nil
  end
  return type(fault) == "table" and fault or { field = "", description = "not readable" }
end

-- Answers with a google.rpc.Status of code INVALID_ARGUMENT. The texts hold no quotes.
local function refuse(handle, status, field, description)
  local message = field == "" and description or field .. ": " .. description
  local details = ""
  if field ~= "" then
    details = '{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"'
      .. field .. '","description":"' .. description .. '"}]}'
  end
  handle:streamInfo():dynamicMetadata():set("harken.edge", "refused", true)
  handle:respond(
    { [":status"] = status, ["content-type"] = "application/json" },
    '{"code":3,"message":"' .. message .. '","details":[' .. details .. "]}"
  )
end

function envoy_on_request(handle)
  local headers = handle:headers()
  local content_type = headers:get("content-type") or ""
  if string.sub(content_type, 1, 16) == "application/grpc" then
    return
  end
  local path, query = string.match(headers:get(":path") or "", "^([^?]*)(.*)$")
  local message = schema.requests[path]
  if message == nil or headers:get(":method") ~= "POST" then
    return -- The transcoder answers 404.
  end
  handle:streamInfo():dynamicMetadata():set("harken.edge", "path", path)
  if query ~= "" then
    return refuse(handle, "400", "", "a query string is not accepted, fields go into the body")
  end
  if string.match(string.lower(content_type), "^[^; ]*") ~= "application/json" then
    return refuse(handle, "415", "", "content-type must be application/json")
  end
  if headers:get("content-encoding") ~= nil then
    return refuse(handle, "415", "", "content-encoding is not accepted")
  end
  local body = handle:body()
  local fault = fault_of(body and body:getBytes(0, body:length()) or "", message)
  if fault ~= nil then
    refuse(handle, "400", fault.field, (string.gsub(fault.description, '["\\]', "?")))
  end
end
