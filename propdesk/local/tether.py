"""Run a command that ends when its parent does, however the parent ends.

`python tether.py PARENT_PID SIGNAL UID COMMAND...` asks Linux to send SIGNAL when the parent dies and becomes the
command; UID is empty, or the user to become first. A file of its own, free of imports from the project: it is executed
by path, also under other user ids. macOS offers no such signal: there a SIGKILL leaves the command running.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, death_signal, uid, *command = sys.argv[1:]
    if uid:
        os.setgroups([])
        os.setgid(int(uid))
        os.setuid(int(uid))
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.Signals[death_signal].value)
        if os.getppid() != int(parent):  # it died before the request was in place
            sys.exit(1)
    # Children of a shell's background job inherit an ignored SIGINT, which would make them deaf to a clean stop.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execvp(command[0], command)  # noqa: S606  (no shell is the point)


if __name__ == "__main__":
    main()
