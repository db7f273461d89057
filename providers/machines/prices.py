"""What machines cost: by the price in the config, since prices differ by region, contract and month."""

from __future__ import annotations

from pydantic import Field

from providers.contracts import ClusterSpec
from providers.kubeadm.settings import KubeadmSettings
from providers.lookout import Cost


class PricedSettings(KubeadmSettings):
    """What a config says of machines that cost money by the hour."""

    price_per_hour: float | None = Field(
        default=None,
        ge=0,
        le=10_000,
        allow_inf_nan=False,
        strict=False,
        description="what one machine costs in an hour with its disk and address, in your currency: for estimates",
    )

    def cost_of(self, spec: ClusterSpec) -> Cost:
        """Return what a cluster takes in an hour."""
        count = spec.control_planes + spec.nodes
        return Cost(count, None if self.price_per_hour is None else count * self.price_per_hour)
