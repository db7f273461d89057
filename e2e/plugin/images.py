"""The container images that cases use, by purpose."""

from __future__ import annotations

from dataclasses import dataclass

from providers.releases.sources import IMAGE_REGISTRY


@dataclass(frozen=True, slots=True)
class Images:
    """Full image names. On hollow nodes any name will do; elsewhere these are what upstream's tests use."""

    pause: str
    agnhost: str
    busybox: str
    nginx: str

    @classmethod
    def upstream(cls, registry: str = IMAGE_REGISTRY) -> Images:
        """Return the images of upstream's v1.36 tests. Source: test/utils/image/manifest.go."""
        tests = f"{registry}/e2e-test-images"
        return cls(
            pause=f"{registry}/pause:3.10.2",
            agnhost=f"{tests}/agnhost:2.63.0",
            busybox=f"{tests}/busybox:1.37.0-1",
            nginx=f"{tests}/nginx:1.27-0",
        )
