"""Real hosts on one machine: systemd in containers that are reached over SSH like any machine. See docs/how-to/lab.md."""

from __future__ import annotations

from tests.support.lab.labs import Lab, lab, open_lab
from tests.support.lab.values import HostSize, LabHost

__all__ = ["HostSize", "Lab", "LabHost", "lab", "open_lab"]
