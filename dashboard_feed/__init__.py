"""Reads the buckets of a federation and makes what its dashboards show."""
