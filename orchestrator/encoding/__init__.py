"""Long encodes over a fleet: trials of scenes become jobs."""
