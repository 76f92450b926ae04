"""What can be wrong with an installation, and how it is mended; looking changes nothing."""
