"""The table for people."""

COLUMNS = (
    ("CPU µs/req", "cpu_us_per_request", 12, ".1f"),
    ("req/s", "requests_per_s", 10, ",.0f"),
    ("p50 µs", "p50_us", 9, ",.0f"),
    ("p99 µs", "p99_us", 9, ",.0f"),
    ("p99.9 µs", "p999_us", 10, ",.0f"),
    ("RSS MB", "rss_mb", 8, ".1f"),
    ("ready s", "ready_s", 9, ".3f"),
)


def show(row, workers, measured, earlier):
    """Prints a row. `earlier` are the rows before it: Envoy without a filter is the yardstick of all."""
    print(f"\n{row.name}: {row.what} ({workers} worker{'s' if workers > 1 else ''})")
    titles = "".join(f"{title:>{width}}" for title, _, width, _ in COLUMNS)
    print(f"  {'':17}{titles}   x Envoy  x Envoy no-filter   CPU or ready, least–most")
    peer = next((result for result in measured if result.proxy == "envoy"), None)
    everything = [*earlier, *measured]
    bare = next((r for r in everything if (r.row, r.proxy, r.workers) == ("no-filter", "envoy", workers)), None)
    for result in measured:
        cells = "".join(cell(getattr(result, key), width, form) for _, key, width, form in COLUMNS)
        print(f"  {result.proxy:17}{cells}{ratio(result, peer):>10}{ratio(result, bare):>19}   {spread(result)}", flush=True)


def cell(value, width, form):
    return f"{value:>{width}{form}}" if value is not None else f"{'':{width}}"


def figure(result):
    return result.cpu_us_per_request if result.cpu_us_per_request is not None else result.ready_s


def ratio(result, peer):
    """Of CPU per request, or of the time to ready."""
    if not peer or (result.cpu_us_per_request is None) != (peer.cpu_us_per_request is None):
        return ""
    return f"{figure(result) / figure(peer):.2f}" if figure(peer) else ""


def spread(result):
    single = [r.cpu_us_per_request if result.cpu_us_per_request is not None else r[0] for r in result.rounds]
    digits = 1 if result.cpu_us_per_request is not None else 3
    return f"{min(single):.{digits}f}–{max(single):.{digits}f}"
