"""Files, images, devices, processes, formatting and plots: what knows nothing of GANs."""
