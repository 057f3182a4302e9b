"""Training: small models made on the spot, behaviour cloning, GRPO, curricula."""
