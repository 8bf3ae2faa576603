"""What Beam starts as a worker: hands its task to a process of `pipeline.worker`, and ends when that has done it."""

import json
import os
import signal
import socket
import sys

signal.signal(signal.SIGINT, signal.SIG_IGN)  # the driver hears it too, and ends us
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
connection.sendall(json.dumps(dict(os.environ)).encode())
connection.shutdown(socket.SHUT_WR)
connection.recv(1)
