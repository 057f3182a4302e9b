"""The four families, and one for evaluation only.

Each is a package with its rules or backend, levels, text, oracle and Gymnasium glue.
"""
