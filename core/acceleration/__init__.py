"""Faster forms of UNet layers for CPUs, equal up to rounding."""
