"""Stage one of a latent model: the autoencoder, its training and its evaluation."""
