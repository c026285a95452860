"""The other side of a door: what its vendor is asked, what was refused, how it is tried, when it falls silent."""
