"""Detection of copied real images and of duplicates within a set."""
