"""How quick and how small the hub is, measured on real processes: `python -m tests.bench`."""
