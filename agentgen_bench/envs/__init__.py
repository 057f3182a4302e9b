"""The four families. Each is a package with its rules or backend, levels, text, oracle and Gymnasium glue."""
