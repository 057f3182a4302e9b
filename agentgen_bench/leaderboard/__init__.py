"""Leaderboard: entries made from runs, verified by replay, shown as a table and a page."""
