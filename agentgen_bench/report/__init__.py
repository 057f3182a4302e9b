"""One self-contained HTML page from recorded runs: scores, charts and a browser of episodes."""
