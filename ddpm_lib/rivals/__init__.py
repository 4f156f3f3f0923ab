"""GAN, VAE and diffusion at one budget."""
