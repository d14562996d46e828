"""`python -m propdesk.local`, which is `make run` without the installing."""

import ctypes
import os
import signal
import sys

from propdesk.local.errors import StartError
from propdesk.local.run import Plan, Run
from propdesk.local.tether import PR_SET_PDEATHSIG


def main() -> int:
    if "MAKELEVEL" in os.environ and sys.platform == "linux":
        # Whoever kills `make`, even with SIGKILL, means us.
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM.value)
    try:
        Run(Plan.of(os.environ)).main()
    except (StartError, OSError) as error:
        sys.stderr.write(f"error: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
