"""The desktop window: one widget a file, thin adapters over the core. Only this package imports PyQt5."""
