"""python -m clipspm_lite COMMAND …"""

import sys

from clipspm_lite.commands.main import main

if __name__ == "__main__":
    sys.exit(main())
