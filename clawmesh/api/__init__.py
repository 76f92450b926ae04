"""The doors for other programs: HTTP."""
