from e2e.suite.containers import inside, pods
from e2e.suite.hollow import own_node

__all__ = ["inside", "own_node", "pods"]
