"""`newsbeam-worker`: what an engine starts as a worker of its own, by Beam's `--environment_type=PROCESS`.

Beam has such a program for its containers only. This one runs in the environment that it is installed in, asks the
engine where its work is, and ends with the engine.
"""

import argparse
import os

import grpc
from apache_beam.portability.api import beam_provision_api_pb2, beam_provision_api_pb2_grpc
from apache_beam.runners.worker.sdk_worker import SdkHarness

_ANSWERS_WITHIN = 60.0
"""Seconds until the engine that has started us must say where the work is."""


def main() -> None:
    parser = argparse.ArgumentParser("newsbeam-worker", description="A worker; an engine starts it with its arguments.")
    parser.add_argument("--id", required=True)
    parser.add_argument("--provision_endpoint", required=True)
    given, _ = parser.parse_known_args()
    with grpc.insecure_channel(given.provision_endpoint) as channel:
        ask = beam_provision_api_pb2_grpc.ProvisionServiceStub(channel).GetProvisionInfo
        question = beam_provision_api_pb2.GetProvisionInfoRequest()
        found = ask(question, metadata=[("worker_id", given.id)], timeout=_ANSWERS_WITHIN)
    harness = SdkHarness(found.info.control_endpoint.url, worker_id=given.id, state_cache_size=0)
    try:
        harness.run()
    finally:
        os._exit(0)  # threads of the harness may wait for ever for an engine that was killed
