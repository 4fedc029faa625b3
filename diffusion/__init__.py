"""Training of the diffusion models. Run ``python -m diffusion --help``."""
