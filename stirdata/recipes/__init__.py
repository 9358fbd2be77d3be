"""What the papers do, to the bit: a recipe opens no socket and writes no file."""
