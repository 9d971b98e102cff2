-- SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
-- wrk's result as one JSON object, on the last line of its output.
function done(summary, latency, _)
	local errors = summary.errors
	io.write(string.format(
		'{"ops":%d,"wall_us":%d,"p50_us":%d,"p99_us":%d,"errors":%d}\n',
		summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
		errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
