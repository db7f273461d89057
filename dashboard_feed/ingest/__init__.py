"""Reads what is new in the buckets of a federation into the warehouse."""
