"""Proofs that hold under processes, kills and chance: `make prove`."""
