-- What wrk sends is put before this text. This part tells, on one line, what came of it.

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format(
      'outcome {"requests":%d,"duration_us":%d,"refused":%d,"socket_errors":%d,"p50_us":%d,"p95_us":%d,"p99_us":%d,"max_us":%d}\n',
      summary.requests, summary.duration, errors.status,
      errors.connect + errors.read + errors.write + errors.timeout,
      latency:percentile(50), latency:percentile(95), latency:percentile(99), latency.max))
end
