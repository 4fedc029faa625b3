"""Models: checkpoints, conditions, the bundled demo set and the devices that run them."""
