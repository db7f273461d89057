"""Kubernetes binaries: which version, from which source, verified, cached."""
