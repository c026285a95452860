"""CRMs and messengers of our own that behave as the vendors' do, for tests, demo and simulation."""
