"""Machines before they become nodes: what they are, whether they are fit, whose they are, and what was changed on them."""
