"""Passwords of tests: checked as any other and in a millisecond, because what it costs stands in the hash itself."""

from argon2 import PasswordHasher

quick_hash = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash
