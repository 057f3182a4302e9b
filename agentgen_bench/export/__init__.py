"""Export: a run or a leaderboard entry in the formats of other tools. Nothing is computed here that scores lack."""
