"""Speed and memory, measured beside a named peer in the same run. Never part of the tests: `make bench` runs it."""
