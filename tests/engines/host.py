"""Starts a Ray cluster on this machine, prints its address, and ends when its standard input closes."""

import sys

import ray

ray.init(address="local", num_cpus=4, num_gpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
print(ray.get_runtime_context().gcs_address, flush=True)
sys.stdin.read()
ray.shutdown()
