"""ALFWorld: household tasks in text, played by our own engine of the official domain or by the official stack."""
