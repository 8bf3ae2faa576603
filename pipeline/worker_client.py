"""What Beam starts as a worker: hands its task to a process of `pipeline.worker`, and ends when that has done it."""

import json
import os
import signal
import socket
import sys
from contextlib import suppress

for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)  # the driver hears it too, and ends us when it has drained
with suppress(OSError), socket.socket(socket.AF_UNIX) as connection:  # when workers are ended, the engine says so
    connection.connect(sys.argv[1])
    connection.sendall(json.dumps(dict(os.environ)).encode())
    connection.shutdown(socket.SHUT_WR)
    connection.recv(1)
