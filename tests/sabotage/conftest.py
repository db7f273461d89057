from tests.support.cluster import binaries

__all__ = ["binaries"]
