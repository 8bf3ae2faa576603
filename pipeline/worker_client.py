"""What Beam starts as a worker: hands its task to a process of `pipeline.worker`, and ends when that has done it."""

import json
import os
import signal
import socket
import sys

for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_IGN)  # the driver hears it too, and ends us when it has drained
connection = socket.socket(socket.AF_UNIX)
try:
    connection.connect(sys.argv[1])
    connection.sendall(json.dumps(dict(os.environ)).encode())
    connection.shutdown(socket.SHUT_WR)
    connection.recv(1)
except OSError:
    sys.exit(1)  # the worker is gone, and the driver says why
