"""Tests on real hosts: every test here boots machines of the lab."""

from __future__ import annotations

from tests.support.lab.fixtures import fresh_hosts, host_lab, shared_hosts

__all__ = ["fresh_hosts", "host_lab", "shared_hosts"]
