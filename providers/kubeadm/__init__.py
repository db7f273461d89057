"""Turns machines into a cluster with kubeadm: the order of the actions stands in ``actions``, one file each beside it."""
