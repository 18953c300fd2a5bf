-- What wrk measured, in one line for a program to read:
-- requests, microseconds, failures, 99th percentile in microseconds.
function done(summary, latency)
   local e = summary.errors
   local failures = e.connect + e.read + e.write + e.status + e.timeout
   io.write(string.format("measured %d %d %d %d\n",
      summary.requests, summary.duration, failures, latency:percentile(99)))
end
