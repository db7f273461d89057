"""Failures that say the same, over all parties: normalised, hashed, compared by edit distance; and triage's files."""
