"""Wrappers that change the text and leave the task alone: distractors, and the interface's words."""
