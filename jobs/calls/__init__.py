"""Calls: who must be called back, who is rung, recordings and their copies."""
