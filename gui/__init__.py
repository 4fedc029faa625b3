"""The desktop window: one widget per file, and thin adapters over the core. Only this package imports PyQt5."""
