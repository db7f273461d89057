"""Machines that run commands over SSH: ``Node`` of providers/contracts.py by asyncssh. Start at ``session.Ssh``."""
