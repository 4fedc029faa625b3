"""What runs beside the window: threads over the core's generators, and the process that makes explanations."""
