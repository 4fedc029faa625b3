"""Detection of copies of real images and of duplicates within a set."""
