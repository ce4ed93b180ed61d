"""The commands of `python -m clipspm_lite`, one file each; `main` chooses."""
