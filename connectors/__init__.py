"""Talking to one vendor each."""
