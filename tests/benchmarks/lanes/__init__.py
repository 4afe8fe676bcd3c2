"""Two lanes, then and now: `python -m tests.benchmarks.lanes`, or `make numbers ONLY=lanes`.

The commit that the issue measured and this tree run side by side, each with its own code, stubs and
client, and take turns. Its bias: client, floor and both suites share one machine, so what a client
takes is missing where a suite is fast; the suite that is not measured idles meanwhile (what that
costs is in the row on processors); loopback has no network in it; PostgreSQL is durable.
"""
