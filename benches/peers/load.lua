-- What wrk counted, for a program to read.
done = function(summary, latency, _)
  local errors = summary.errors
  io.write(string.format(
    "\nRESULT %d %d %d %d %d %d\n", summary.requests, summary.duration,
    errors.connect + errors.read + errors.write + errors.timeout + errors.status,
    latency:percentile(50), latency:percentile(99), latency:percentile(99.9)))
end
