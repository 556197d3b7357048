"""Where training runs: devices and their kernels, clusters, workers."""
