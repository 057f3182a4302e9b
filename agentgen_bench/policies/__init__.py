"""Policies: text in, action out. A model policy sees histories only; the oracle alone sees an environment."""
