"""Versions of Kubernetes and their programs: resolved, fetched or built, verified, cached."""
