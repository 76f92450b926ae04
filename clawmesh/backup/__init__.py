"""One file that holds what a mesh has: its databases, its configuration, what is trusted; and the way back."""
