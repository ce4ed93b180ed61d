"""python -m clipspm_lite COMMAND …"""

from clipspm_lite.commands.main import main

if __name__ == "__main__":
    raise SystemExit(main())
