"""Training of the light networks and of the analysis networks that feed them."""
