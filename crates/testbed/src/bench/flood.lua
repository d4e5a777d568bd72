-- What wrk sends is put before this text. This part sorts the answers and tells, on one line, what came of it.

local threads = {}

function setup(thread)
   table.insert(threads, thread)
end

function init(args)
   accepted, limited, other, other_status, unexplained = 0, 0, 0, 0, 0
end

local function is_explained(headers)
   local wanted = 4
   for name, _ in pairs(headers) do
      name = name:lower()
      if name == "retry-after" or name == "x-ratelimit-limit" or name == "x-ratelimit-remaining"
         or name == "x-ratelimit-reset" then
         wanted = wanted - 1
      end
   end
   return wanted == 0
end

function response(status, headers, body)
   if status == 200 then
      accepted = accepted + 1
   elseif status == 429 then
      limited = limited + 1
      if not is_explained(headers) then unexplained = unexplained + 1 end
   else
      other, other_status = other + 1, status
   end
end

function done(summary, latency, requests)
   local function sum(name)
      local total = 0
      for _, thread in ipairs(threads) do total = total + thread:get(name) end
      return total
   end
   local errors, other_status = summary.errors, 0
   for _, thread in ipairs(threads) do other_status = math.max(other_status, thread:get("other_status")) end
   io.write(string.format(
      'outcome {"accepted":%d,"limited":%d,"other":%d,"other_status":%d,"unexplained":%d,"socket_errors":%d,'
         .. '"duration_us":%d,"p99_us":%d}\n',
      sum("accepted"), sum("limited"), sum("other"), other_status, sum("unexplained"),
      errors.connect + errors.read + errors.write + errors.timeout, summary.duration, latency:percentile(99)))
end
