"""Wrappers that change what an agent reads or how it speaks, and never what an action does."""
