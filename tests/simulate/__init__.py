"""The whole hub, its CRMs and its senders in one process on virtual time: `python -m tests.simulate`."""
