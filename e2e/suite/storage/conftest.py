from e2e.suite.containers import inside, pods

__all__ = ["inside", "pods"]
