"""Who makes machines: one file each. What becomes of machines is the same for all (providers/kubeadm)."""
