"""What makes a cluster of machines, in order. Every action may be done again, and goes on where a killed one was."""

from __future__ import annotations

from collections.abc import Callable

from providers.kubeadm import balancer, images, init, join, pods, programs, ready, runtime, services
from providers.kubeadm.site import Site

ACTIONS: tuple[tuple[str, Callable[[Site], None]], ...] = (
    ("Install Kubernetes", programs.install),
    ("Install the container runtime", runtime.install),
    ("Images", images.supply),
    ("Endpoint", balancer.serve),
    ("First control plane", init.init),
    ("Kubeconfig", init.fetch_kubeconfig),
    ("Join control planes", join.join_control_planes),
    ("Endpoint of all control planes", balancer.widen),
    ("Join workers", join.join_workers),
    ("Service network", services.wait),
    ("Pod network", pods.connect),
    ("Wait until ready", ready.wait),
    ("Take back the token", join.close),
)
