"""Sokoban with exact difficulty: every level's fewest pushes and fewest moves are proven."""
