"""The widgets of the window, one per file. They display state and emit signals; none of them starts work."""
