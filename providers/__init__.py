"""Providers make clusters: config model, local and existing providers, binaries of Kubernetes."""
