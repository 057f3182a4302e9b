"""Evaluation: a plan of episodes, the folder that records them, and the run that fills it."""
