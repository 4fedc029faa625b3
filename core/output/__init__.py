"""The output folder: images, their table and the color adjustment."""
