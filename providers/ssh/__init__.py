"""Machines that run commands over SSH: ``Node`` of providers/contracts.py by asyncssh. Start at ``session.Ssh``.

``access`` is values only; ``session`` loads asyncssh, which takes half a second: import it inside functions.
"""
