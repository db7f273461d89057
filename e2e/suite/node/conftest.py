from e2e.suite.hollow import own_node

__all__ = ["own_node"]
